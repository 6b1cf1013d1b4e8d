"""Files that are written whole, and errors of writing that name their file."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# How Rust's libraries, safetensors for one, tell the number of the system's error.
SYSTEM_ERROR = re.compile(r"os error (\d+)")


def write_whole(
    path: Path, content: str | bytes | Callable[[Path], object], *, shared: bool = False
) -> None:
    """Writes beside a file and renames, so that a kill leaves the old file or the new one.

    The file gets the permissions that the user's umask gives, whatever the writer chose.

    Args:
        path: the file; its folder exists.
        content: text, stored as UTF-8; bytes; or a function that writes the file it is given, and
            none of its own beside it (safetensors' ``save_file`` does; give what ``save`` returns).
        shared: several processes may write this file at once.

    Raises:
        OSError: it cannot be written; the error names it. This, and what `content` raises, leaves
            nothing beside.
    """
    own = f".{uuid.uuid4().hex}" if shared else ""  # else the next writer takes over a left-over
    beside = path.with_name(f"{path.name}{own}.part")
    try:
        with naming(path):
            beside.unlink(missing_ok=True)
            beside.touch()
            mode = beside.stat().st_mode
            if callable(content):
                content(beside)
                beside.chmod(mode)
            else:
                beside.write_bytes(content.encode() if isinstance(content, str) else content)
            if not shared:
                _settle(beside)  # shards by the thousand would wait for the disk each
            beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def append_line(path: Path, line: str) -> None:
    """Adds a line of text to a file, whole or not at all, unless killed in the middle.

    Args:
        path: the file; made if missing.
        line: without its end.

    Raises:
        OSError: it cannot be written; the error names it, and the file is as long as before.
    """
    data = line.encode() + b"\n"
    with naming(path), path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            while data:  # a disk that fills up takes a part
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Lets each error of the system name ``path``, also those that a library words otherwise.

    Raises:
        OSError: in place of any exception that one of the system lies behind.
    """
    try:
        yield
    except Exception as error:
        number = _system_number(error)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _system_number(error: BaseException | None) -> int | None:
    """Number of the system's error that an exception is, or came from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if told := SYSTEM_ERROR.search(str(error)):
            return int(told[1])
        error = error.__cause__ or error.__context__
    return None


def _settle(path: Path) -> None:
    """Waits until the disk has the file: some tell only now that they are full."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
