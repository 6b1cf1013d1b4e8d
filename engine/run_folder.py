"""The folder that holds everything of one run: settings, records, log, checkpoints."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..distributed import ranks
from ..errors import SHORTAGES, UserError, shorten
from ..files import append_line, naming, write_whole
from ..folder_lock import FILE as LOCK_FILE
from ..folder_lock import FolderLock
from ..reading import parse_json, visible
from ..run_format import version_of
from .resume import check_same_settings, first_line
from .tensorboard_events import TensorBoardEvents

IN_PLACE = (LOCK_FILE, "metrics.jsonl", "log.txt")  # files that are added to, not replaced
RUN_BEGINS = b'{"kind": "run"'  # as :meth:`RunFolder.record` writes the first record of every run
LOCK_HOLDER = re.compile(rb"process \d+ on ")  # as :class:`FolderLock` names who holds it
RESULTS = (b'"kind": "evaluation"', b'"kind": "agreement"')
LOGGER = logging.getLogger("vireid")


def refuse_data_folder(output: Path, data_dir: Path) -> None:
    """Refuses the data folder as that for results; links are followed.

    A folder inside is somebody's choice: no reader looks for data there.

    Args:
        output: folder to write; need not be there.
        data_dir: folder of the data set.

    Raises:
        UserError: ``output`` is ``data_dir``.
    """
    if os.path.realpath(output) == os.path.realpath(data_dir):
        raise UserError(
            f"--output {output} is the folder of --data-dir, among whose files nothing is written. "
            "Choose another --output."
        )


class _TqdmHandler(logging.Handler):
    """Prints above the progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(visible(self.format(record)))
        # Whoever pipes the output on, into `tee` for instance, wants each line when it happens.
        sys.stdout.flush()


class _LogFile(logging.FileHandler):
    """Lets a line that cannot be written end the run, instead of printing a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:
        with naming(Path(self.baseFilename)):
            raise

    def close(self) -> None:
        # What the disk did not take was told when it was written.
        with suppress(OSError):
            super().close()


def _begins_run(line: bytes) -> bool:
    """Whether the first line of a ``metrics.jsonl`` is a run's, or what a kill left of it."""
    try:
        record = parse_json(line)
    except ValueError:
        cut_off = not line.endswith(b"\n")
        return cut_off and (line.startswith(RUN_BEGINS) or RUN_BEGINS.startswith(line))
    named = version_of(record) is not None
    return named and isinstance(record, dict) and record.get("kind") == "run"


class RunFolder:
    """One run on disk, held by one process at a time.

    Of several processes the main one writes. Each other has a folder of its own for what it would
    write, which goes when it closes, and says nothing.

    Args:
        path: the folder; made if missing.
        config: resolved settings as YAML, kept as ``config.yaml``.
        pictures: whether TensorBoard gets pictures beside the numbers.
        resume: go on with a run that is there; from the beginning, if it was stopped before its
            first checkpoint. None for a command whose runs cannot go on.

    Raises:
        UserError: another process works in ``path``; it holds a run and ``resume`` is off, or the
            reverse, or the run has other settings; it holds files of those names that no run wrote;
            or the folder cannot be written.

    Attributes:
        path: the folder that this process writes.
        checkpoint: the file from which the run can go on.
        resumed: whether it does.
        pictures: as given.
    """

    def __init__(
        self, path: Path, config: str, *, resume: bool | None, pictures: bool = True
    ) -> None:
        self.path = path
        self.checkpoint = path / "checkpoints" / "last.pt"
        self.resumed = bool(resume) and self.checkpoint.exists()
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._lock: FolderLock | None = None
        self._handlers: list[logging.Handler] = []
        if not ranks.is_main():
            self._private = tempfile.TemporaryDirectory(
                prefix="vireid-", ignore_cleanup_errors=True
            )
            self.path = path = Path(self._private.name)
        try:
            if self._private is None:
                self._take(resume, config)
            (path / "checkpoints").mkdir(parents=True, exist_ok=True)
            if not self.resumed or self._private is not None:
                self.metrics.write_text("", encoding="utf-8")
            write_whole(path / "config.yaml", config)
            self._start_log()
        except OSError as error:
            self._let_go()
            if error.errno in SHORTAGES:
                raise
            raise UserError(
                f"--output {path} cannot be written: {error.strerror} ({error.filename}). "
                "Choose another folder."
            ) from error
        except BaseException:
            self._let_go()
            raise
        self.pictures = pictures
        self._events = TensorBoardEvents(path / "tensorboard", self.log)
        if self._lock is not None and not self._lock.held:
            self.log(f"{path} cannot be locked: see that no other process runs in it")
        if resume and not self.resumed:
            self.log(f"{path} has no checkpoint yet: it starts from the beginning")

    def _take(self, resume: bool | None, config: str) -> None:
        """Locks the folder, and looks whether this run may go on or begin in it."""
        self._check_files()
        if self.metrics.exists():
            # First of all: what another process is writing now says nothing about what to do.
            self._lock = FolderLock(self.path, f"--output {self.path}")
            self.resumed = bool(resume) and self.checkpoint.exists()
        self._check(resume)
        if self._lock is None:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = FolderLock(self.path, f"--output {self.path}")
            self._check(resume)  # a process that began and ended meanwhile
        if self.resumed:
            check_same_settings(self.path / "config.yaml", config)

    def _let_go(self) -> None:
        for handler in self._handlers:
            handler.close()
            LOGGER.removeHandler(handler)
        self._handlers.clear()
        if self._private is not None:
            self._private.cleanup()
        if self._lock is not None:
            self._lock.release()

    def _check(self, resume: bool | None) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--output {self.path} is a file; wanted is a folder, new or empty")
        if resume and not self.metrics.exists():
            raise UserError(
                f"--resume: {self.path} holds no run. Leave out --resume to start one there."
            )
        if not resume and (self.checkpoint.exists() or self._was_evaluated()):
            way_on = "Choose" if resume is None else "Add --resume to go on with it, or choose"
            raise UserError(f"{self.path} already holds a run. {way_on} another --output.")

    def _check_files(self) -> None:
        """Refuses to write over what is no run's, and through a link to where it leads."""
        own = [self.path / name for name in IN_PLACE]
        for file in own:
            if file.is_symlink() or (file.exists() and not file.is_file()):
                raise UserError(
                    f"{file} is a link, a folder or a pipe; a run writes files there. Remove it, "
                    "or choose another --output."
                )
        strange = [self.path / name for name in ("config.yaml", "log.txt")]
        strange = [file for file in strange if file.exists()]
        if first_line(self.metrics):
            strange.append(self.metrics)
        lock = self.path / LOCK_FILE
        if (held := first_line(lock)) and not LOCK_HOLDER.match(held):
            strange.append(lock)
        if strange and not self._is_own():
            wanted = (
                ' (of a run, metrics.jsonl begins with a record of kind "run")'
                if self.metrics in strange
                else ""
            )
            raise UserError(
                f"--output {self.path} holds no run but {shorten(strange)}, which a run would "
                f"write over{wanted}. Choose another folder, new or empty."
            )

    def _is_own(self) -> bool:
        """Whether a run began here, be it that it failed before its first record."""
        first = first_line(self.metrics)
        if first and _begins_run(first):
            return True
        if first and not self.checkpoint.exists():
            return False
        # No record, or damaged ones of a run whose settings are compared before it goes on.
        lock = self.path / LOCK_FILE
        if held := first_line(lock):
            return LOCK_HOLDER.match(held) is not None
        # Where a file system knows no locks, the lock file stays empty; many programs have such a
        # one, but not beside what else a start makes before its settings and its log.
        made = (lock.exists(), self.metrics.exists(), self.checkpoint.parent.is_dir())
        return all(made)

    def _was_evaluated(self) -> bool:
        """Whether there are results; a command that failed at its start leaves none."""
        if not self.metrics.exists():
            return False
        content = self.metrics.read_bytes()
        return any(kind in content for kind in RESULTS)

    @property
    def metrics(self) -> Path:
        """One JSON object a line: everything that was measured."""
        return self.path / "metrics.jsonl"

    def _start_log(self) -> None:
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
        written = _LogFile(self.path / "log.txt", encoding="utf-8")
        shown = _TqdmHandler() if self._private is None else logging.NullHandler()
        for handler, pattern in ((written, "%(asctime)s %(message)s"), (shown, "%(message)s")):
            handler.setFormatter(logging.Formatter(pattern))
            LOGGER.addHandler(handler)
            self._handlers.append(handler)

    def log(self, message: str) -> None:
        """Says ``message`` on the terminal and in ``log.txt``."""
        LOGGER.info(message)

    def record(self, kind: str, **values: Any) -> None:
        """Appends a line to ``metrics.jsonl``, and its numbers to TensorBoard."""
        append_line(self.metrics, json.dumps({"kind": kind, **values}, allow_nan=False))
        self._to_tensorboard(kind, values)

    def _to_tensorboard(self, kind: str, values: dict[str, Any]) -> None:
        step = values.get("step")
        if step is None or kind == "trial":  # ten of one name and step; their mean is drawn
            return
        label = values.get("protocol") or values.get("modality") or ""
        prefix = "/".join(part for part in (kind, str(label)) if part)
        numbers = {
            f"{prefix}/{name}": value
            for name, value in {**values, **values.get("losses", {})}.items()
            if isinstance(value, (int, float))
            and not isinstance(value, bool)
            and name not in ("step", "epoch")
        }

        def write(writer: Any) -> None:
            for name, value in numbers.items():
                writer.add_scalar(name, value, step)

        self.to_tensorboard(write, step)

    def to_tensorboard(self, write: Callable[[Any], None], step: int) -> None:
        """Lets ``write`` use the ``SummaryWriter`` of TensorBoard in the main process.

        TensorBoard is an extra: without it the run says so once, and whatever fails there stops
        nothing. The first ``step`` (of the run) of a process hides what a killed one left.
        """
        if self._private is None:
            self._events.write(write, step)

    def metrics_size(self) -> int:
        """Bytes of ``metrics.jsonl``, to be stored with a checkpoint."""
        return self.metrics.stat().st_size

    def rewind_metrics(self, size: int) -> None:
        """Forgets what was recorded after the checkpoint from which a run goes on.

        Where the file was cut off before that, what is left of its lines is kept, and said so.
        """
        if self._private is not None:
            return
        kept = self.metrics.read_bytes()[:size]
        if len(kept) < size:
            kept = kept[: kept.rfind(b"\n") + 1]
            self.log(
                f"{self.metrics} was cut off: {len(kept)} of {size} bytes are left. "
                "Training goes on; the table and the report lack what is gone."
            )
        with self.metrics.open("r+b") as file:
            file.truncate(len(kept))

    def close(self) -> None:
        """Flushes and closes log and TensorBoard, and lets another process have the folder."""
        self._events.close()
        self._let_go()
