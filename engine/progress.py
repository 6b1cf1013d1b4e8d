"""What a person sees of an epoch while it runs: one bar on a terminal, lines in the log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from tqdm import tqdm

from ..distributed import ranks
from .peak_memory import memory_text, peak_memory_mib

Batch = tuple[Tensor, Tensor]
BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]"


@dataclass
class RunClock:
    """How far the whole run is, to say how long it still takes.

    Attributes:
        steps: optimiser steps of the whole run.
        first: steps that were done when the clock started; more than 0 after a resume.
        started: when it started, as ``time.perf_counter`` counts.
    """

    steps: int
    first: int = 0
    started: float = field(default_factory=time.perf_counter)

    def leave_out(self, steps: int) -> None:
        """Counts on without these steps, which a stage that ended early does not take."""
        self.steps -= steps

    def left(self, step: int) -> float | None:
        """Seconds left after ``step`` steps of the run; None before the first.

        The time so far, clusterings and evaluations included, is carried on; a later stage with
        larger batches takes longer than this says.
        """
        done = step - self.first
        if done < 1:
            return None
        return (time.perf_counter() - self.started) / done * max(0, self.steps - step)


class Before(Protocol):
    """The batches of an epoch that were taken already: how many, with how many clips, how long."""

    taken: int
    clips: int
    seconds: float


class EpochProgress:
    """Counts the batches of an epoch and shows them.

    The bar is drawn on a terminal only, and by the main process only.

    Args:
        batches, steps: clips and track numbers, and how many batches.
        where: stage and epoch, as shown.
        step: steps of the run before this epoch.
        device: whose peak memory is shown.
        clock: of the whole run; None says nothing about its end.
        before: what earlier batches of the epoch came to, where it goes on in its middle.
    """

    def __init__(
        self,
        batches: Iterable[Batch],
        steps: int,
        where: str,
        step: int,
        device: torch.device,
        clock: RunClock | None = None,
        before: Before | None = None,
    ) -> None:
        self.where = where
        self.steps = steps
        self.taken = 0 if before is None else before.taken
        self.clips = 0 if before is None else before.clips
        self._first_step = step
        self._device = device
        self._clock = clock
        self._started = time.perf_counter() - (0.0 if before is None else before.seconds)
        self._bar = tqdm(
            batches,
            total=steps,
            initial=self.taken,
            desc=where,
            disable=None if ranks.is_main() else True,
            dynamic_ncols=True,
            leave=False,
            bar_format=BAR,
        )

    def __iter__(self) -> Iterator[Batch]:
        yield from self._bar

    @property
    def seconds(self) -> float:
        """Since the epoch's first batch was asked for, without a pause between two processes."""
        return time.perf_counter() - self._started

    @property
    def clips_per_second(self) -> float:
        """Clips of the epoch so far over its time so far."""
        return self.clips / max(self.seconds, 1e-9)

    def count(self, clips: int, loss: float | None) -> None:
        """Takes note of a batch that was trained on.

        Args:
            clips: in the batch.
            loss: sum of the terms of the last step that is known, None before the first.
        """
        self.taken += 1
        self.clips += clips
        if not self._bar.disable:
            self._bar.set_postfix_str(self._facts(loss), refresh=False)

    def line(self, loss: float, lr: float) -> str:
        """The state of the epoch as a line of the text log."""
        left = self.seconds / max(1, self.taken) * max(0, self.steps - self.taken)
        return (
            f"{self.where} batch {self.taken}/{self.steps} loss {loss:.4f} lr {lr:.2e}, "
            f"epoch {tqdm.format_interval(left)} left, {self._facts(None)}"
        )

    def _facts(self, loss: float | None) -> str:
        facts = [] if loss is None else [f"loss {loss:.3f}"]
        facts.append(f"{self.clips_per_second:.0f} clips/s")
        left = None if self._clock is None else self._clock.left(self._first_step + self.taken)
        if left is not None:
            facts.append(f"run {tqdm.format_interval(left)} left")
        peak = peak_memory_mib(self._device)
        if peak is not None:
            facts.append(f"peak {memory_text(peak)}")
        return ", ".join(facts)
