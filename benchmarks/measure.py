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
STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


@dataclass(frozen=True)
class Measured(Generic[Result]):
    """What a call took.

    Attributes:
        seconds: shortest of the repetitions.
        mebibytes: largest peak above what was held before the call, its result included; None
            where the system cannot tell.
        result: of the last repetition.
    """

    seconds: float
    mebibytes: float | None
    result: Result


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
    seconds, peaks = [], []
    for _ in range(repeat):
        result = None
        gc.collect()
        before = _held(device)
        _reset_peak(device)
        start = time.perf_counter()
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
        peak = _peak(device)
        if peak is not None and before is not None:
            peaks.append((peak - before) / 2**20)
    return Measured(min(seconds), max(peaks, default=None), result)  # type: ignore[arg-type]


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
