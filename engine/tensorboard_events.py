"""What a run writes for TensorBoard: an extra, which never stops the run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREAD = "_AsyncWriterThread"  # TensorBoard writes in a thread of this class


class TensorBoardEvents:
    """The ``SummaryWriter`` of a run; whatever fails there is said once.

    Args:
        folder: of the event files.
        say: tells the person at the keyboard.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._writer: Any = None
        self._faults: set[str] = set()
        self._hook: Callable[[threading.ExceptHookArgs], object] | None = None

    def write(self, write: Callable[[Any], None], step: int) -> None:
        """Lets ``write`` use the writer.

        The first ``step`` (of the run) of a process hides what a killed one left behind it.
        """
        try:
            if self._writer is None:
                from torch.utils.tensorboard import SummaryWriter

                self._hook, threading.excepthook = threading.excepthook, self._in_thread
                self._writer = SummaryWriter(str(self._folder), purge_step=step)
            write(self._writer)
        except Exception as error:
            self._tell(error)

    def _in_thread(self, raised: threading.ExceptHookArgs) -> None:
        """In place of a traceback: the writer raises the same again when it is used."""
        if type(raised.thread).__name__ != THREAD and self._hook is not None:
            self._hook(raised)

    def _tell(self, error: Exception) -> None:
        if isinstance(error, ModuleNotFoundError) and error.name == "tensorboard":
            fault = "no events, it is not installed (pip install 'vireid[tensorboard]')"
        else:
            fault = f"{type(error).__name__}: {error}".splitlines()[0]
            fault = f"the run goes on without what could not be written: {fault}"
        if fault not in self._faults:
            self._faults.add(fault)
            self._say(f"TensorBoard: {fault}")

    def close(self) -> None:
        """Flushes and closes."""
        try:
            if self._writer is not None:
                self._writer.close()
        except Exception as error:
            self._tell(error)
        finally:
            if self._hook is not None:
                threading.excepthook, self._hook = self._hook, None
