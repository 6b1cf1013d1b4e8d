"""Files that are written whole."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def write_whole(
    path: Path, content: str | bytes | Callable[[Path], object], *, shared: bool = False
) -> None:
    """Writes beside a file and renames, so that a kill leaves the old file or the new one.

    The file gets the permissions that the user's umask gives, whatever the writer chose.

    Args:
        path: the file; its folder exists.
        content: text, stored as UTF-8; bytes; or a function that writes the file it is given.
        shared: several processes may write this file at once.

    Raises:
        OSError: it cannot be written. This, and what `content` raises, leaves nothing beside.
    """
    own = f".{uuid.uuid4().hex}" if shared else ""  # else the next writer takes over a left-over
    beside = path.with_name(f"{path.name}{own}.part")
    try:
        beside.unlink(missing_ok=True)
        beside.touch()
        mode = beside.stat().st_mode
        if callable(content):
            content(beside)
            beside.chmod(mode)
        else:
            beside.write_bytes(content.encode() if isinstance(content, str) else content)
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
