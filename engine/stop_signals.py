"""How a scheduler ends a run: SIGTERM, or SIGUSR1 as Slurm is told to send it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..distributed import ranks
from ..errors import Stopped

NAMES = ("SIGTERM", "SIGUSR1")  # Windows has the first only
ONE_REQUEST_S = 1.0  # srun and the step's own daemon both pass a signal on


class StopSignals:
    """Turns the first signal into :class:`Stopped`; the second ends the process at once.

    As a context manager it takes the signals. Outside of :meth:`deferred`, ``Stopped`` is raised
    wherever the program stands, as ``KeyboardInterrupt`` is. Within, the request is taken note of,
    and the program asks with :meth:`wanted`; :meth:`leaving` lets a phase that can be done again be
    left at any moment all the same. Several processes have to leave together: there a phase is
    finished first. Threads other than the main one, and signals that are ignored, stay as they are.

    Attributes:
        received: name of the first signal, None before it.
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self._when = 0.0
        self._owner = os.getpid()
        self._at_once = True
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name, None) for name in NAMES):
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _receive(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.received is not None and now - self._when < ONE_REQUEST_S:
            return
        if self.received is not None or os.getpid() != self._owner:  # or a forked child
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.received, self._when = signal.Signals(number).name, now
        if self._at_once:
            raise Stopped(f"stopped by {self.received}.")

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Takes note of a signal and goes on."""
        before, self._at_once = self._at_once, False
        try:
            yield
        finally:
            self._at_once = before

    def wanted(self) -> bool:
        """Whether to stop now: the same answer in each process of the run, all of which ask."""
        return ranks.any_of(self.received is not None)

    def watch(self) -> Callable[[], bool]:
        """What to ask after each step of an epoch in place of :meth:`wanted`.

        Several processes agree while the next step is computed, and no device is waited for: there
        the answer is that of the step before.
        """
        if ranks.count() == 1:
            return self.wanted
        begun: list[Callable[[], bool]] = []

        def answer() -> bool:
            begun.append(ranks.asked_of_all(self.received is not None))
            return len(begun) > 1 and begun.pop(0)()

        return answer

    @contextmanager
    def leaving(self, keep: Callable[[str], None]) -> Iterator[None]:
        """A phase of a deferred part that need not end: whoever leaves it starts it again.

        Args:
            keep: writes the state from which the run goes on; takes the name of the signal. Called
                where a signal came before the phase or in it.

        Raises:
            Stopped: after ``keep``.
        """
        try:
            self._stop_if_wanted()
            self._at_once = ranks.count() == 1
            if self._at_once and self.received is not None:  # since the line before the last
                raise Stopped
            yield
            self._at_once = False
            self._stop_if_wanted()
        except Stopped:
            self._at_once = False
            keep(self.name)
            raise Stopped from None
        finally:
            self._at_once = False

    def _stop_if_wanted(self) -> None:
        if self.wanted():
            raise Stopped

    @property
    def name(self) -> str:
        """What was received here, or by another process of the run."""
        return self.received or NAMES[0]
