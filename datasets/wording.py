"""Words for messages."""

from __future__ import annotations

from collections.abc import Sequence


def shorten(names: Sequence[object], most: int = 8) -> str:
    """The first few names.

    Args:
        names: what to list.
        most: how many are listed.

    Returns:
        The names with commas between them, and an ellipsis if some are left out.
    """
    return ", ".join(map(str, names[:most])) + (", …" if len(names) > most else "")
