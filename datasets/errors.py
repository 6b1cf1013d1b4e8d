"""What the readers raise: messages for a person who prepares a data set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import SystemFault, UserError


class DatasetError(UserError):
    """A data set on disk cannot be read or used as asked.

    The message says what was expected, what was found, in which file (and line), and what to do.
    """


class CorruptFrames(DatasetError):
    """Frames that cannot be decoded.

    Attributes:
        frames: the files, in the order of the tracks.
    """

    def __init__(self, failures: Sequence[tuple[Path, str]], advice: str) -> None:
        self.frames = tuple(path for path, _ in failures)
        shown = "\n".join(f"  {path}: {reason}" for path, reason in failures[:5])
        more = f"\n  and {len(failures) - 5} more" if len(failures) > 5 else ""
        noun = "frame" if len(failures) == 1 else "frames"
        super().__init__(f"{len(failures)} {noun} cannot be read:\n{shown}{more}\n{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        # The message is built from arguments that are not kept, so a worker process could not send
        # this exception home without saying how it is rebuilt.
        return _rebuild_corrupt_frames, (self.frames, str(self))


def _rebuild_corrupt_frames(frames: tuple[Path, ...], message: str) -> CorruptFrames:
    error = CorruptFrames.__new__(CorruptFrames)
    error.frames = frames
    error.args = (message,)
    return error


class LostWorker(SystemFault):
    """A process that reads frames was killed from outside.

    Args:
        full: it died of a bus error, as writing to a full /dev/shm gives.
    """

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        memory = " (Bus error: the shared memory, /dev/shm, is full)" if full else ""
        super().__init__(
            f"a process that reads frames was killed from outside{memory}, for want of memory for "
            "instance. Lower --workers or --batch-size if it happens again."
        )
