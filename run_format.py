"""Which run folders this version reads: each says which version wrote it."""

from __future__ import annotations

import re
from pathlib import Path

from . import __version__
from .errors import UserError

FIRST_READABLE = (0, 2)


def version_of(started: object) -> object:
    """The version in the record with which a run begins; None where it holds none."""
    versions = started.get("versions") if isinstance(started, dict) else None
    return versions.get("vireid") if isinstance(versions, dict) else None


def require_readable(version: object, folder: Path) -> None:
    """Refuses what an earlier version wrote, instead of misreading it.

    Args:
        version: what the folder says of the version that wrote it, None where it says nothing.
        folder: for the message.

    Raises:
        UserError: there is no version, or one before ``FIRST_READABLE``.
    """
    found = re.match(r"(\d+)\.(\d+)", str(version))
    if found and (int(found[1]), int(found[2])) >= FIRST_READABLE:
        return
    first = ".".join(map(str, FIRST_READABLE))
    writer = f"vireid {version}" if found else f"a vireid before {first} (it names no version)"
    raise UserError(
        f"{folder} was written by {writer}, and this is vireid {__version__}, which reads folders "
        f"from {first} on: make it again with this version, or use the one that wrote it."
    )
