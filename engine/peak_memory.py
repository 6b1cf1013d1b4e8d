"""The most memory that this process has held, for the progress display and the dry run."""

from __future__ import annotations

from pathlib import Path

import torch

STATUS = Path("/proc/self/status")
MIB = 2**20


def peak_memory_mib(device: torch.device) -> float | None:
    """Peak memory of this process since its start.

    CUDA: the most that torch's allocator had given out on ``device`` at one time; what the driver
    and the libraries take comes on top. CPU: the kernel's high-water mark of resident memory
    (VmHWM).

    Returns:
        Mebibytes, or None where the system does not tell.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    size = size_in(STATUS, "VmHWM")
    return None if size is None else size / MIB


def size_in(file: Path, name: str) -> float | None:
    """Bytes by name from one of the kernel's tables below ``/proc``, None where it has none."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    sizes = (1024 * float(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
    return next(sizes, None)


def memory_text(mebibytes: float | None) -> str:
    """Memory for people, in GiB or MiB; ``unknown`` for None."""
    if mebibytes is None:
        return "unknown"
    return f"{mebibytes / 1024:.1f} GiB" if mebibytes >= 1024 else f"{mebibytes:.0f} MiB"
