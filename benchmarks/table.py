"""Flags, machine description and tables that the benchmarks share."""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from .clock import software
from .measure import Measured

# Where --write puts its files; scripts/gpu_check.sh names another folder here.
RESULTS = Path(os.environ.get("VIREID_RESULTS") or Path(__file__).parent / "results")


def parser(description: str | None) -> argparse.ArgumentParser:
    """Flags of every benchmark.

    Args:
        description: first line of the help.
    """
    flags = argparse.ArgumentParser(description=description)
    flags.add_argument("--quick", action="store_true", help="small sizes, for a look in seconds")
    flags.add_argument(
        "--device",
        choices=("all", "cpu", "cuda"),
        default="all",
        help="where to compute; all: the CPU, and CUDA where there is one",
    )
    flags.add_argument(
        "--write", action="store_true", help="write benchmarks/results/<part>-<device>.md"
    )
    flags.add_argument("--note", default="", help="a remark on the conditions, kept in the file")
    return flags


def devices(wanted: str) -> list[torch.device]:
    """Devices to measure on; cuDNN looks for its fastest kernels there, for every form alike."""
    torch.backends.cudnn.benchmark = True  # as in training
    found = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if wanted != "all" and wanted not in found:
        raise SystemExit(f"--device {wanted}: this machine has {' and '.join(found)}")
    return [torch.device(name) for name in found if wanted in ("all", name)]


class Table:
    """Rows of measurements, printed as they come and written as Markdown.

    Args:
        part: name of the benchmark.
        device: where it computes.
    """

    head = ("what", "time", "CPU time", "peak extra memory", "against plain", "in CPU time")

    def __init__(self, part: str, device: torch.device) -> None:
        self.part, self.device = part, device
        self._lines: list[str] = []
        print(f"\n{part} on {describe(device)}\n", flush=True)

    def section(self, title: str, head: Sequence[str] | None = None) -> None:
        """Starts a new table.

        Args:
            title: above it.
            head: names of its columns; None = those of a measurement.
        """
        names = head or self.head
        rule = "| --- " + (len(names) - 1) * "| ---: " + "|"
        self._say("", f"**{title}**", "", _row(names), rule)

    def row(
        self, what: str, found: Measured[object], plain: Measured[object] | None = None
    ) -> None:
        """Adds a measurement and, where ``plain`` is given, how many times faster it is."""
        memory = "-" if found.mebibytes is None else f"{found.mebibytes:,.0f} MiB"
        ratios = ["-", "-"]
        if plain is not None:
            ratios[0] = f"{plain.seconds / found.seconds:,.1f} times as fast"
            if self.device.type == "cpu":
                ratios[1] = f"{plain.cpu_seconds / found.cpu_seconds:,.1f} times"
        took = duration(found.seconds)
        if found.span is not None:
            took += f" ({' to '.join(map(duration, found.span))})"
        times = (took, duration(found.cpu_seconds))
        self._say(_row((what, *times, memory, *ratios)))

    def cells(self, *cells: str) -> None:
        """Adds a row of a table with columns of its own."""
        self._say(_row(cells))

    def remark(self, text: str) -> None:
        """Adds a line of text."""
        self._say("", text)

    def write(self, note: str) -> None:
        """Writes ``benchmarks/results/<part>-<device>.md``."""
        flags = [flag for flag in sys.argv[1:] if flag not in ("--note", note)]
        command = shlex.join(["python", "-m", f"benchmarks.{self.part}", *flags])
        threads = os.environ.get("OMP_NUM_THREADS")
        head = [
            f"# {self.part} on {describe(self.device)}",
            "",
            f"`{'' if threads is None else f'OMP_NUM_THREADS={threads} '}{command}`, "
            f"Python {platform.python_version()}, {software(self.device)}.",
            *([note] if note else []),
        ]
        how = (
            "Times are between CUDA events; memory is the peak of the allocator above what was "
            "held before the call."
            if self.device.type == "cuda"
            else "Memory is the kernel's high-water mark of resident memory (VmHWM), reset before "
            "the call, minus what was resident then; results count."
        )
        how += " Where a range follows a time, the time is the median of so many calls."
        RESULTS.mkdir(parents=True, exist_ok=True)
        path = RESULTS / f"{self.part}-{slug(self.device)}.md"
        path.write_text("\n".join([*head, "", how, *self._lines]) + "\n", encoding="utf-8")
        print(f"\nwritten to {path}")

    def _say(self, *lines: str) -> None:
        self._lines += lines
        print("\n".join(lines), flush=True)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def duration(seconds: float) -> str:
    """Seconds for people, three digits."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def slug(device: torch.device) -> str:
    """The device in a file name: ``cpu``, or the name of the card."""
    if device.type == "cpu":
        return "cpu"
    return re.sub(r"[^a-z0-9]+", "-", torch.cuda.get_device_name().lower()).strip("-")


def describe(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in names if "model name" in line), "")
    return f"{torch.get_num_threads()} threads of {model or platform.processor()}"
