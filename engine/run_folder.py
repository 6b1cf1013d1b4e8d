"""The folder that holds everything of one run: settings, records, log, checkpoints."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .errors import UserError

LOGGER = logging.getLogger("vireid")


class _TqdmHandler(logging.Handler):
    """Prints above the progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record))


def write_text(path: Path, text: str) -> None:
    """Writes beside ``path`` and renames, so that a kill never leaves half a file."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


class RunFolder:
    """One run on disk.

    Args:
        path: the folder; made if missing.
        config: resolved settings as YAML, kept as ``config.yaml``.
        resume: go on with a run that is there.

    Raises:
        UserError: ``path`` holds a run and ``resume`` is off, or the reverse.
    """

    def __init__(self, path: Path, config: str, *, resume: bool) -> None:
        self.path = path
        self.resumed = resume and self.checkpoint.exists()
        if not resume and (path / "metrics.jsonl").exists():
            raise UserError(
                f"{path} already holds a run. Add --resume to go on with it, "
                "or choose another --output."
            )
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        if not self.resumed:
            self.metrics.write_text("", encoding="utf-8")
        write_text(path / "config.yaml", config)
        self._writer: Any = None
        self._handlers: list[logging.Handler] = []
        self._start_log()

    @property
    def checkpoint(self) -> Path:
        """The checkpoint from which the run can go on."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def metrics(self) -> Path:
        """One JSON object a line: everything that was measured."""
        return self.path / "metrics.jsonl"

    def _start_log(self) -> None:
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
        for handler, pattern in (
            (
                logging.FileHandler(self.path / "log.txt", encoding="utf-8"),
                "%(asctime)s %(message)s",
            ),
            (_TqdmHandler(), "%(message)s"),
        ):
            handler.setFormatter(logging.Formatter(pattern))
            LOGGER.addHandler(handler)
            self._handlers.append(handler)

    def log(self, message: str) -> None:
        """Says ``message`` on the terminal and in ``log.txt``."""
        LOGGER.info(message)

    def record(self, kind: str, **values: Any) -> None:
        """Appends one line to ``metrics.jsonl`` and its numbers to TensorBoard."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._to_tensorboard(kind, values)

    def _to_tensorboard(self, kind: str, values: dict[str, Any]) -> None:
        step = values.get("step")
        if step is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.path / "tensorboard"), purge_step=step)
        label = values.get("protocol") or values.get("modality") or ""
        prefix = "/".join(part for part in (kind, str(label)) if part)
        for name, value in {**values, **values.get("losses", {})}.items():
            if (
                isinstance(value, (int, float))
                and not isinstance(value, bool)
                and name not in ("step", "epoch")
            ):
                self._writer.add_scalar(f"{prefix}/{name}", value, step)

    def metrics_size(self) -> int:
        """Bytes of ``metrics.jsonl``, to be stored with a checkpoint."""
        return self.metrics.stat().st_size

    def rewind_metrics(self, size: int) -> None:
        """Forgets what was recorded after the checkpoint from which a run goes on."""
        with self.metrics.open("r+b") as file:
            file.truncate(size)

    def close(self) -> None:
        """Flushes and closes log and TensorBoard."""
        if self._writer is not None:
            self._writer.close()
        for handler in self._handlers:
            handler.close()
            LOGGER.removeHandler(handler)
        self._handlers.clear()
