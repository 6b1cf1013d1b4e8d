"""The error that a command shows as one message, without a traceback, and words for messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class UserError(Exception):
    """Something the person at the keyboard can mend; the message says what and how.

    Attributes:
        exit_code: with which the command ends.
    """

    exit_code: int = 2


@contextmanager
def as_user_error(*kinds: type[Exception], start: str = "") -> Iterator[None]:
    """``ValueError`` and ``kinds`` become ``UserError``, with ``start`` before their message."""
    caught: tuple[type[Exception], ...] = (ValueError, *kinds)
    try:
        yield
    except caught as error:
        raise UserError(f"{start}{error}") from error


def shorten(names: Sequence[object], most: int = 8) -> str:
    """The first few names.

    Args:
        names: what to list.
        most: how many are listed.

    Returns:
        The names with commas between them, and an ellipsis if some are left out.
    """
    return ", ".join(map(str, names[:most])) + (", …" if len(names) > most else "")
