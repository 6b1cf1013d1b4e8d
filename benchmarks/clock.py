"""Time and memory of a device: CUDA's events and allocator, or the CPU's clock and the kernel."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


class Clock:
    """Times what a device does, and reads the most memory that it held meanwhile.

    CUDA: events on the device's own stream, which leave out the time that the host takes to hand
    over the first kernel; the allocator's peak. CPU: ``time.perf_counter``; the kernel's high-water
    mark of resident memory (VmHWM), reset before, after freed memory was given back
    (``malloc_trim``).

    Args:
        device: where.
    """

    def __init__(self, device: torch.device) -> None:
        self.on_cuda = device.type == "cuda"

    def start(self) -> None:
        """Waits for what is under way and starts anew."""
        if self.on_cuda:
            torch.cuda.synchronize()
            self._held: float | None = torch.cuda.memory_allocated()
            torch.cuda.reset_peak_memory_stats()
            self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            self._events[0].record()
            return
        self._held = _status("VmRSS")
        if CLEAR.exists():
            CLEAR.write_text(RESET_PEAK)
        self._started = time.perf_counter()

    def stop(self) -> tuple[float, float | None]:
        """Seconds since the start, and MiB of the peak above what was held then (None: unknown)."""
        if self.on_cuda:
            self._events[1].record()
            self._events[1].synchronize()
            seconds = self._events[0].elapsed_time(self._events[1]) / 1000
            peak: float | None = torch.cuda.max_memory_allocated()
        else:
            seconds = time.perf_counter() - self._started
            peak = _status("VmHWM")
        known = peak is not None and self._held is not None
        return seconds, (peak - self._held) / 2**20 if known else None  # type: ignore[operator]


def _status(name: str) -> float | None:
    """Bytes of a line of /proc/self/status; None where there is none."""
    if not (STATUS.exists() and CLEAR.exists()):
        return None
    if name == "VmRSS":
        ctypes.CDLL(None).malloc_trim(0)
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return next(1024.0 * int(line[1]) for line in lines if line[0] == f"{name}:")


def software(device: torch.device) -> str:
    """Versions of what computes on a device: torch, and on CUDA the driver and its libraries."""
    if device.type != "cuda":
        return f"torch {torch.__version__}"
    cudnn = torch.backends.cudnn.version()
    return (
        f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {cudnn}, "
        f"driver {driver_version()}"
    )


def driver_version() -> str:
    """The version of NVIDIA's driver, as nvidia-smi says it."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return "unknown (no nvidia-smi)"
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({type(error).__name__})"
    lines = said.stdout.split("\n")
    return lines[0].strip() or "unknown"
