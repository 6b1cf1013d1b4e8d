"""Time and peak extra memory of a call, on CPU and CUDA."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import torch

from .clock import Clock

Result = TypeVar("Result")
Kept = TypeVar("Kept", covariant=True)


@dataclass(frozen=True)
class Measured(Generic[Kept]):
    """What a call took.

    Attributes:
        seconds: shortest of the repetitions, or the median of :func:`series`.
        cpu_seconds: time of all threads on cores, the least of the repetitions; on a machine that
            is shared with other work this says more than the wall clock.
        mebibytes: largest peak above what was held before the call, its result included; None
            where the system cannot tell.
        result: of the last repetition.
        span: shortest and longest time of a series; None where there is none.
    """

    seconds: float
    cpu_seconds: float
    mebibytes: float | None
    result: Kept
    span: tuple[float, float] | None = None


def measure(
    call: Callable[[], Result], device: torch.device, *, repeat: int = 1
) -> Measured[Result]:
    """Runs a call and measures it.

    Memory is the peak during the call minus what was held before; see :class:`Clock`.

    Args:
        call: what to measure; it should have run once before at a small size, so that nothing is
            compiled while the clock runs.
        device: where it computes.
        repeat: repetitions; the shortest time and the largest peak count.

    Returns:
        Time, memory and result.
    """
    seconds, cpu_seconds, peaks = [], [], []
    for _ in range(repeat):
        result = None
        gc.collect()
        clock = Clock(device)
        clock.start()
        cpu_start = time.process_time()
        result = call()
        took, peak = clock.stop()
        seconds.append(took)
        cpu_seconds.append(time.process_time() - cpu_start)
        if peak is not None:
            peaks.append(peak)
    memory = max(peaks, default=None)
    return Measured(min(seconds), min(cpu_seconds), memory, result)  # type: ignore[arg-type]


def series(
    call: Callable[[], Result], device: torch.device, *, rounds: int = 10
) -> Measured[Result]:
    """Median and span of some calls after one that does not count, and the largest peak.

    Args:
        call: what to measure.
        device: where it computes.
        rounds: calls that count.
    """
    measure(call, device)
    return middle([measure(call, device) for _ in range(rounds)])


def middle(turns: Sequence[Measured[Result]]) -> Measured[Result]:
    """The median and the span of measurements of one thing, the largest peak, the last result."""
    seconds = [turn.seconds for turn in turns]
    return Measured(
        statistics.median(seconds),
        statistics.median(turn.cpu_seconds for turn in turns),
        max((turn.mebibytes for turn in turns if turn.mebibytes is not None), default=None),
        turns[-1].result,
        (min(seconds), max(seconds)),
    )


def interleaved(
    calls: Mapping[str, Callable[[], Result]], device: torch.device, rounds: int
) -> dict[str, Measured[Result]]:
    """Measures several calls in turns, so that a busy minute falls on all of them.

    Args:
        calls: by name.
        device: where they compute.
        rounds: turns that count; one before them warms up.

    Returns:
        The median time with its span, and the largest peak, of each.
    """
    for call in calls.values():
        call()
    return in_turns({name: partial(measure, call, device) for name, call in calls.items()}, rounds)


def in_turns(
    measurements: Mapping[str, Callable[[], Measured[Result]]], rounds: int
) -> dict[str, Measured[Result]]:
    """What :func:`interleaved` does, of measurements that are made elsewhere, as in a process.

    Args:
        measurements: by name; each call makes one.
        rounds: turns; all count.
    """
    turns: dict[str, list[Measured[Result]]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, take in measurements.items():
            turns[name].append(take())
    return {name: middle(found) for name, found in turns.items()}


def together(*parts: Measured[object], result: Result) -> Measured[Result]:
    """Steps that follow each other as one; what they hold at the same time is not known.

    Args:
        parts: the steps.
        result: of all of them.
    """
    return Measured(
        sum(part.seconds for part in parts), sum(part.cpu_seconds for part in parts), None, result
    )
