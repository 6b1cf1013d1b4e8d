"""The errors that a command shows as one message, without a traceback, and words for messages."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class UserError(Exception):
    """Something the person at the keyboard can mend; the message says what and how.

    Attributes:
        exit_code: with which the command ends.
    """

    exit_code: int = 2


class SystemFault(UserError):
    """What the machine denied while the command and its data were right: room, a process."""

    exit_code = 1


class Stopped(BaseException):
    """A scheduler asked the process to end, and what was done is kept; the message says where.

    No ``Exception``, as ``KeyboardInterrupt`` is none: nothing on the way may take it for a fault.
    """


# What a command or its data got wrong; other errors of the system are the machine's.
_GIVEN_WRONG = frozenset(
    {
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
        *(errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
    }
)
# Another folder is no help against these, or not the only one.
SHORTAGES = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
)
_ADVICE = {
    errno.ENOSPC: "Make room there.",
    errno.EDQUOT: "Make room within your quota.",
    errno.EFBIG: "Raise the limit on the size of a file (ulimit -f).",
    errno.EMFILE: "Raise the limit on open files (ulimit -n), or lower --workers.",
    errno.ENFILE: "The machine has too many open files: end what keeps them.",
    errno.EROFS: "Let it be written to.",
    errno.EACCES: "Allow it to this user.",
    errno.EPERM: "Allow it to this user.",
    errno.ENOMEM: "Free some memory.",
}


def explain_system_error(error: OSError) -> tuple[str, bool]:
    """An error of the system in one sentence or two, and whether the machine is at fault.

    Args:
        error: as it was raised.

    Returns:
        What failed and what to do; False where the command or its data are likelier the reason.
    """
    text = f"{error.filename or 'system'}: {error.strerror or error}"
    if advice := _ADVICE.get(error.errno or 0):
        text += f". {advice}"
    return text, error.errno not in _GIVEN_WRONG


def wants_memory(error: Exception) -> bool:
    """Whether an error says that memory was asked for in vain, whichever library raised it.

    Args:
        error: any; torch tells it by a ``RuntimeError``, with other words on each device.
    """
    told = ("out of memory", "allocate memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in told)
    )


def optional_library(
    name: str,
    need: str,
    *,
    extra: str = "",
    packages: str = "",
    kind: type[Exception] = UserError,
) -> Any:
    """A library that not every installation has.

    Args:
        name: of the module.
        need: how the message begins: what needs which library.
        extra: of this toolkit, that brings it.
        packages: what to install alone; the module's name if nothing else is given.
        kind: of the error.

    Returns:
        The module.

    Raises:
        UserError, or ``kind``: it is not installed, or cannot be imported; says what to install.
    """
    try:
        return import_module(name)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        fault = "is not installed" if missing else f"cannot be imported ({first_line(error)})"
        alone = f"pip install {packages or name}"
        install = f"pip install 'vireid[{extra}]' (or {alone})" if extra else alone
        raise kind(f"{need}, which {fault}: {install}") from error


def first_line(error: Exception) -> str:
    """What an error says, without the pages that some libraries add below; its kind if nothing.

    Args:
        error: any.
    """
    return (str(error).splitlines() or [type(error).__name__])[0]


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
