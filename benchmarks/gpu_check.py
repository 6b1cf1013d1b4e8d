"""What ``scripts/gpu_check.sh`` runs: checks, each in a process of its own, and figures.

A check that fails, hangs or takes the process with it is a line; the others go on.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from .clock import software
from .gpu_checks import CHECKS
from .gpu_place import Place
from .table import RESULTS, describe, slug

PARTS = ("checks", "figures", "tests", "benchmarks")
BENCHMARKS = ("train_step", "clustering", "ranking", "matching", "memory")
NEEDED = (
    *("numba", "scipy", "sklearn", "accelerate", "safetensors", "tqdm"),
    *("torchvision", "jinja2", "yaml", "PIL", "tensorboard"),
)
TESTING = ("pytest", "hypothesis", "jsonargparse")
LIMIT = 240  # seconds of a check
PART_LIMIT = 570  # seconds of another part
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a check came to.

    Attributes:
        name: of the check.
        passed: whether.
        seconds: that it took.
        text: what it saw, or how it failed.
    """

    name: str
    passed: bool
    seconds: float
    text: str

    def line(self) -> str:
        """For people."""
        return (
            f"{'pass' if self.passed else 'FAIL'}  {self.name}, {self.seconds:.0f} s: {self.text}"
        )


def apart(name: str, call: Callable[[], str], limit: float = LIMIT) -> Outcome:
    """Runs a check in a process of its own.

    The process is forked, so that libraries are loaded once; nothing here may touch the device.

    Args:
        name: of the check.
        call: raises where something does not hold, and else says what it saw.
        limit: seconds after which it is killed.
    """
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_run, args=(call, there))
    started = time.monotonic()
    child.start()
    there.close()
    try:
        passed, text = here.recv() if here.poll(limit) else (False, f"not done after {limit:.0f} s")
    except EOFError:
        child.join()
        passed, text = False, f"the process ended by itself, exit code {child.exitcode}"
    if child.is_alive():
        child.join(5)
    if child.is_alive():
        os.killpg(child.pid or 0, signal.SIGKILL)
        child.join()
    return Outcome(name, passed, time.monotonic() - started, " ".join(text.split())[-300:])


def _run(call: Callable[[], str], answer: Connection) -> None:
    os.setpgrp()  # so that what the check starts can be ended with it
    try:
        answer.send((True, call()))
    except BaseException as error:  # whatever it is, it is the answer
        traceback.print_exc()
        answer.send((False, f"{type(error).__name__}: {error}"))


def checks(device: str, small: bool, folder: Path, names: Sequence[str]) -> list[Outcome]:
    """All checks in turn, each a line as it ends, and all lines once more at the end.

    Between them stands what the trainings themselves say.
    """
    place = Place(device, small, folder)
    found = []
    for name in names:
        print(f"\n== {name}", flush=True)
        found.append(apart(name, lambda name=name: CHECKS[name](place)))  # type: ignore[misc]
        print(found[-1].line(), flush=True)
    failed = [one.name for one in found if not one.passed]
    told = f"{len(failed)} of {len(found)} checks FAILED: {'; '.join(failed)}"
    if not failed:
        told = f"all {len(found)} checks passed"
    print("", *(one.line() for one in found), told, sep="\n", flush=True)
    return found


def write(device: str, small: bool, outcomes: Sequence[Outcome]) -> Path:
    """Writes ``gpu_check-<device>.md``."""
    where = torch.device(device)
    failed = sum(not one.passed for one in outcomes)
    lines = [
        f"# Checks on {describe(where)}",
        "",
        f"Python {platform.python_version()}, {software(where)}"
        f"{'; tiny sizes' if small else ''}. {len(outcomes) - failed} of {len(outcomes)} passed.",
        "",
        "| check | result | seconds | what was seen |",
        "| --- | --- | ---: | --- |",
    ]
    for one in outcomes:
        result = "pass" if one.passed else "**FAIL**"
        text = one.text.replace("|", "/")
        lines.append(f"| {one.name} | {result} | {one.seconds:.0f} | {text} |")
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"gpu_check-{slug(where)}.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"written to {path}", flush=True)
    return path


def run(words: Sequence[str], limit: float = PART_LIMIT) -> int:
    """Runs a process; what it was doing at the limit is interrupted."""
    print("$", " ".join(words), flush=True)
    process = subprocess.Popen(words, cwd=ROOT)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        print("the time of this part is over: interrupted", flush=True)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        return 124


def missing(names: Sequence[str]) -> list[str]:
    """Libraries that are not there."""
    return [name for name in names if importlib.util.find_spec(name) is None]


def tests() -> int:
    """The tests that are marked gpu; without a GPU all of them skip."""
    if lacking := missing(TESTING):
        print(f"skip  tests: {sys.executable} lacks {', '.join(lacking)}", flush=True)
        return 0
    marked = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mark.gpu" in file.read_text(encoding="utf-8")
    ]
    return run([sys.executable, "-m", "pytest", "-m", "gpu", "-q", *marked])


def part_of(part: str, device: str, small: bool, names: Sequence[str]) -> int:
    """Runs a part; 0 if all went well."""
    if part == "checks":
        with tempfile.TemporaryDirectory() as folder:
            outcomes = checks(device, small, Path(folder), names or list(CHECKS))
        write(device, small, outcomes)
        return int(not all(one.passed for one in outcomes))
    if part == "tests":
        return tests()
    tiny = ["--small"] if small else []
    if part == "figures":
        words = [sys.executable, "-m", "benchmarks.gpu_figures", "--device", device, "--write"]
        return run([*words, *tiny])
    quick = ["--quick"] if small else []
    flags = ["--device", device, "--write", *quick]
    return max(run([sys.executable, "-m", f"benchmarks.{one}", *flags]) for one in BENCHMARKS)


def main() -> int:
    """Runs the parts asked for; 0 if all of them did."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("part", choices=(*PARTS, "all"))
    flags.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    flags.add_argument("--small", action="store_true", help="tiny sizes: does every line run?")
    flags.add_argument("--only", action="append", choices=CHECKS, help="a check; may be repeated")
    given = flags.parse_args()
    if lacking := missing(NEEDED):
        print(f"{sys.executable} lacks: {', '.join(lacking)}", file=sys.stderr)
        return 2
    codes = {}
    for part in PARTS[:2] if given.part == "all" else (given.part,):
        started = time.monotonic()
        codes[part] = part_of(part, given.device, given.small, given.only or [])
        print(f"{part}: exit code {codes[part]}, {time.monotonic() - started:.0f} s", flush=True)
    return max(codes.values())


if __name__ == "__main__":
    # A card that was asked by its driver's library may still be used in a forked process.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    sys.exit(main())
