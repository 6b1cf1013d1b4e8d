"""Time and peak extra memory of a call, on CPU and CUDA."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

Result = TypeVar("Result")
Kept = TypeVar("Kept", covariant=True)
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


@dataclass(frozen=True)
class Measured(Generic[Kept]):
    """What a call took.

    Attributes:
        seconds: wall clock, shortest of the repetitions.
        cpu_seconds: time of all threads on cores, the least of the repetitions; on a machine that
            is shared with other work this says more than the wall clock.
        mebibytes: largest peak above what was held before the call, its result included; None
            where the system cannot tell.
        result: of the last repetition.
    """

    seconds: float
    cpu_seconds: float
    mebibytes: float | None
    result: Kept


def measure(
    call: Callable[[], Result], device: torch.device, *, repeat: int = 1
) -> Measured[Result]:
    """Runs a call and measures it.

    CPU: the kernel's own high-water mark of resident memory (VmHWM), reset just before the call
    after freed memory was given back (``malloc_trim``), minus what was resident then. CUDA: the
    allocator's peak minus what was allocated before.

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
        before = _held(device)
        _reset_peak(device)
        start, cpu_start = time.perf_counter(), time.process_time()
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        peak = _peak(device)
        if peak is not None and before is not None:
            peaks.append((peak - before) / 2**20)
    memory = max(peaks, default=None)
    return Measured(min(seconds), min(cpu_seconds), memory, result)  # type: ignore[arg-type]


def together(*parts: Measured[object], result: Result) -> Measured[Result]:
    """Steps that follow each other as one; what they hold at the same time is not known.

    Args:
        parts: the steps.
        result: of all of them.
    """
    return Measured(
        sum(part.seconds for part in parts), sum(part.cpu_seconds for part in parts), None, result
    )


def _held(device: torch.device) -> float | None:
    if device.type == "cuda":
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()
    return _status("VmRSS")


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif CLEAR.exists():
        CLEAR.write_text(RESET_PEAK)


def _peak(device: torch.device) -> float | None:
    return torch.cuda.max_memory_allocated() if device.type == "cuda" else _status("VmHWM")


def _status(name: str) -> float | None:
    """Bytes of a line of /proc/self/status; None where there is none."""
    if not (STATUS.exists() and CLEAR.exists()):
        return None
    if name == "VmRSS":
        ctypes.CDLL(None).malloc_trim(0)
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return next(1024.0 * int(line[1]) for line in lines if line[0] == f"{name}:")
