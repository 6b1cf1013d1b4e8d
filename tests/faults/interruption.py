"""Runs commands in forks of one process that has imported everything, and ends them badly.

A trial then costs what the command costs, and no start of an interpreter.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vireid.cli import main

from .forked import renew_threads

# What changes a disk; of "open" those that write.
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.truncate")
GRACE_S = 120.0  # a command of a second that takes so long hangs


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: exit code, or minus the number of the signal that ended it.
        text: what it said, both streams.
        seconds: how long it took.
        events: changes of files below the watched folder that it began.
    """

    code: int
    text: str
    seconds: float
    events: int

    @property
    def message(self) -> str:
        """The lines with which the program itself says how it ended."""
        lines = self.text.splitlines()
        marks = [number for number, line in enumerate(lines) if line.startswith("vireid: ")]
        return "\n".join(lines[marks[-1] :]) if marks else ""


@dataclass(frozen=True)
class Moment:
    """When a command is killed with signal 9.

    Attributes:
        seconds: after its start; or
        event: at its so-many-th change of a file below the watched folder, from 1, and
        delay: so many seconds after that change began; None: before it.
    """

    seconds: float | None = None
    event: int | None = None
    delay: float | None = None


class Watch:
    """Counts a process's changes of files below a folder, and tells its parent of one of them."""

    def __init__(self, folder: Path, moment: Moment | None, told: int, counted: int) -> None:
        self.prefix = str(folder)
        self.moment = moment
        self.told, self.counted = told, counted
        self.owner = os.getpid()
        self.count = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook; Python calls it before the change is made."""
        if event not in EVENTS or os.getpid() != self.owner:
            return
        path, flags = arguments[0], arguments[-1]
        if event == "open" and not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
            return
        if not isinstance(path, str | os.PathLike) or not os.fspath(path).startswith(self.prefix):
            return
        self.count += 1
        os.pwrite(self.counted, self.count.to_bytes(4, "little"), 0)
        if self.moment is not None and self.count == self.moment.event:
            os.write(self.told, b"!")
            if self.moment.delay is None:
                time.sleep(GRACE_S)


def run(
    words: Sequence[str],
    watched: Path,
    *,
    moment: Moment | None = None,
    prepare: Callable[[], object] | None = None,
    meanwhile: Callable[[int], object] | None = None,
) -> Outcome:
    """Runs ``vireid WORDS`` in a fork.

    Args:
        words: command line.
        watched: changes of files below are counted.
        moment: when to kill it.
        prepare: called in the fork first, to spoil its surroundings.
        meanwhile: called in this process with the fork's number.

    Returns:
        How it ended; it is killed, and the text says so, where it hangs.
    """
    reader, writer = os.pipe()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as counted:
        sys.stdout.flush()
        sys.stderr.flush()
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            _command(words, Watch(watched, moment, writer, counted.fileno()), said, prepare)
        os.close(writer)
        try:
            if moment is not None:
                _kill(child, moment, reader, started)
            elif meanwhile is not None:
                meanwhile(child)
            code, hung = _end(child, started + GRACE_S)
        finally:
            os.close(reader)
        seconds = time.monotonic() - started
        said.seek(0)
        text = said.read().decode("utf-8", "replace") + ("\nit hangs" if hung else "")
        events = int.from_bytes(os.pread(counted.fileno(), 4, 0), "little")
    return Outcome(code, text, seconds, events)


def _command(
    words: Sequence[str], watch: Watch, said: object, prepare: Callable[[], object] | None
) -> None:
    """The fork; it does not return."""
    code = 70
    try:
        os.setpgid(0, 0)
        for stream in (1, 2):
            os.dup2(said.fileno(), stream)  # type: ignore[attr-defined]
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        renew_threads()
        sys.addaudithook(watch)
        if prepare is not None:
            prepare()
        code = main(list(words))
    except SystemExit as ended:  # of the parser of arguments
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _kill(child: int, moment: Moment, reader: int, started: float) -> None:
    if moment.seconds is not None:
        time.sleep(max(0.0, started + moment.seconds - time.monotonic()))
    else:
        # Where the event never comes the pipe ends with the process.
        select.select([reader], [], [], GRACE_S)
        time.sleep(moment.delay or 0.0)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _end(child: int, until: float) -> tuple[int, bool]:
    hung = False
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), hung
        if not hung and time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            hung = True
        time.sleep(0.002)


def limit(kind: int, number: int) -> Callable[[], None]:
    """Sets a limit of the system in a fork; a file that grows too large is an error, no signal."""

    def set_it() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(kind, (number, number))

    return set_it


@contextlib.contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[bool]:
    """A file system of so many KiB; whether it could be mounted, for which one must be root."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = f"mount -t tmpfs -o size={kib}k none '{folder}' 2>/dev/null"
    mounted = os.system(mount) == 0
    try:
        yield mounted
    finally:
        if mounted:
            os.system(f"umount '{folder}'")


def resize(folder: Path, kib: int) -> None:
    """Gives a :func:`small_disk` another size."""
    os.system(f"mount -o remount,size={kib}k '{folder}'")
