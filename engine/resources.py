"""What the machine has free for a run: memory, GPU memory, disk, shared memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
SHARED = Path("/dev/shm")
GIB = 2**30
MIB = 2**20
# Of what is free, the last twentieth is left alone: the system's figure for available memory counts
# pages that it cannot give up at once, and other programs grow too.
USABLE = 0.95
# Files of a memory cgroup in version 2 and in version 1: its limit, what it holds.
LIMITS = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


@dataclass(frozen=True)
class Room:
    """What is free of something.

    Attributes:
        free: bytes.
        total: bytes, of which these are free.
        limit: who sets the total, where it is not the machine itself; empty otherwise.
    """

    free: int
    total: int
    limit: str = ""

    @property
    def usable(self) -> int:
        """Bytes that a run may plan with."""
        return int(USABLE * self.free)

    def __str__(self) -> str:
        """Both figures, for people."""
        by = f", {self.limit}" if self.limit else ""
        return f"{size_text(self.free)} free of {size_text(self.total)}{by}"


def size_text(size: float) -> str:
    """Bytes for people: GiB with one decimal, MiB below one GiB."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{max(0.0, size) / MIB:.0f} MiB"


def size_in(file: Path, name: str) -> float | None:
    """Bytes by name from one of the kernel's tables below ``/proc``, None where it has none."""
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    sizes = (1024 * float(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
    return next(sizes, None)


def host_memory(proc: Path = PROC, cgroups: Path = CGROUPS) -> Room | None:
    """Memory that this process can still have, swap not counted.

    The least of what the machine has available, of what each control group above this process
    leaves, and of what the process may still address: a container or a batch system ends a process
    at its limit, however much the machine has. Pages of files that a group holds can be dropped, so
    they count as free.

    Args:
        proc: where the kernel tells of processes and of the machine.
        cgroups: where control groups are mounted, version 1 or 2.

    Returns:
        None where the system does not tell.
    """
    available, total = (size_in(proc / "meminfo", name) for name in ("MemAvailable", "MemTotal"))
    rooms = [] if None in (available, total) else [Room(int(available or 0), int(total or 0))]
    rooms += [*_group_rooms(proc, cgroups), *_process_room(proc)]
    return min(rooms, key=lambda room: room.free, default=None)


def _group_rooms(proc: Path, cgroups: Path) -> Iterator[Room]:
    for folder in _groups(proc, cgroups):
        for limit_file, usage_file in LIMITS:
            limit, usage = _number(folder / limit_file), _number(folder / usage_file)
            if limit is not None and usage is not None:
                free = limit - max(0, usage - _file_pages(folder))
                yield Room(max(0, free), limit, "the limit of its control group")


def _process_room(proc: Path) -> Iterator[Room]:
    try:
        import resource
    except ImportError:  # not on every system
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    held = size_in(proc / "self" / "status", "VmSize")
    if limit != resource.RLIM_INFINITY and held is not None:
        yield Room(max(0, limit - int(held)), limit, "the limit of its addresses (ulimit -v)")


def _groups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """Folders of the memory control groups of this process, from its own one to the top."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in lines.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        for mount in [cgroups / "memory"] if controllers else [cgroups, cgroups / "unified"]:
            # In a container the path may be the host's; what is mounted is then the group itself.
            folder = mount / path.strip("/")
            yield folder
            while folder != mount and mount in folder.parents:
                folder = folder.parent
                yield folder


def _number(file: Path) -> int | None:
    """None where there is no such file, or no limit (``max``, or a number without meaning)."""
    try:
        value = int(file.read_text(encoding="ascii", errors="replace"))
    except (OSError, ValueError):
        return None
    return value if 0 <= value < 2**60 else None


def _file_pages(folder: Path) -> int:
    """Bytes of a control group's page cache."""
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    values = {name: int(value) for name, _, value in (line.partition(" ") for line in lines)}
    # Version 1 gives what a group holds itself and, as total_…, with those below it.
    names = ("active_file", "inactive_file")
    return sum(values.get(f"total_{name}", values.get(name, 0)) for name in names)


def disk_space(folder: Path) -> Room:
    """Room on the file system of a folder, which need not exist yet."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return Room(usage.free, usage.total)


def shared_memory(folder: Path = SHARED) -> Room | None:
    """Room of the shared memory through which workers pass clips; None where there is none."""
    return disk_space(folder) if folder.is_dir() else None


def gpu_memory(device: torch.device) -> Room | None:
    """Memory of a card, with what torch holds of it and has given to no tensor; None on a CPU."""
    if device.type != "cuda":
        return None
    import torch

    free, total = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return Room(free + unused, total)
