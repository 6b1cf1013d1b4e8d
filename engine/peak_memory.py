"""The most memory that this process has held, for the progress display and the dry run."""

from __future__ import annotations

from pathlib import Path

import torch

from .resources import MIB, size_in, size_text

STATUS = Path("/proc/self/status")
# The most on a card before the last extraction began: torch's own figure starts anew with it.
_earlier: dict[torch.device, int] = {}


def peak_memory_mib(device: torch.device) -> float | None:
    """Peak memory of this process since its start.

    CUDA: the most that torch's allocator had given out on ``device`` at one time; what the driver
    and the libraries take comes on top. CPU: the kernel's high-water mark of resident memory
    (VmHWM).

    Returns:
        Mebibytes, or None where the system does not tell.
    """
    if device.type == "cuda":
        return max(torch.cuda.max_memory_allocated(device), _earlier.get(device, 0)) / MIB
    size = size_in(STATUS, "VmHWM")
    return None if size is None else size / MIB


def memory_held(device: torch.device) -> float | None:
    """What the process holds now, in the terms of :func:`peak_memory_mib`, in mebibytes."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / MIB
    size = size_in(STATUS, "VmRSS")
    return None if size is None else size / MIB


def start_extraction(device: torch.device) -> None:
    """Begins to measure what an extraction takes on a card; nothing on a CPU."""
    if device.type == "cuda":
        most = torch.cuda.max_memory_allocated(device)
        _earlier[device] = max(_earlier.get(device, 0), most)
        torch.cuda.reset_peak_memory_stats(device)


def extraction_peak(device: torch.device) -> int:
    """Bytes that were in use since :func:`start_extraction` and are not now; 0 on a CPU."""
    if device.type != "cuda":
        return 0
    return torch.cuda.max_memory_allocated(device) - torch.cuda.memory_allocated(device)


def memory_text(mebibytes: float | None) -> str:
    """Memory for people, in GiB or MiB; ``unknown`` for None."""
    if mebibytes is None:
        return "unknown"
    return size_text(mebibytes * MIB)
