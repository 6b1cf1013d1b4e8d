"""One process at a time works in a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
from pathlib import Path
from typing import IO

from .errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FILE = "run.lock"
TAKEN = (errno.EACCES, errno.EAGAIN)


class FolderLock:
    """Held from its making until :meth:`release`, or until the process is gone, however it ends.

    The system keeps the lock with the process and not in the file, so nothing that a killed process
    leaves behind blocks the next one; the file only says who holds it. POSIX record locks rather
    than ``flock``: a worker process would inherit the latter and hold it for as long as it takes to
    notice that its parent was killed, and Linux passes these on to an NFS server. Where a file
    system knows no locks, or the platform none of this kind, nobody is refused, and ``held`` says
    so.

    Args:
        folder: it exists.
        wanted: how the message calls it, for instance ``--output runs/a``.
        instead: what may be done but waiting, to stand after a comma.

    Attributes:
        held: whether the system keeps a lock.

    Raises:
        UserError: another process holds it; names that process where it is known.
        OSError: the file cannot be written.
    """

    def __init__(
        self, folder: Path, wanted: str, instead: str = ", or choose another --output"
    ) -> None:
        self.path = folder / FILE
        self._file: IO[str] | None = self.path.open("a+", encoding="utf-8")
        self.held = False
        if fcntl is None:
            return
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in TAKEN:
                return  # ENOLCK, ENOTSUP, ENOSYS: no locks here
            self._file.seek(0)
            holder = self._file.readline(200).strip()
            self.release()
            raise UserError(
                f"{wanted} is in use by another process{f' ({holder})' if holder else ''}. Wait "
                f"for it to end{instead}."
            ) from None
        self.held = True
        with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
            self._file.truncate(0)
            self._file.write(f"process {os.getpid()} on {platform.node() or 'this machine'}\n")
            self._file.flush()

    def release(self) -> None:
        """Lets the next process in; the file stays, since removing it could part two that wait."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
