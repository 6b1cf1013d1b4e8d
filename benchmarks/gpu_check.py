"""What ``scripts/gpu_check.sh`` runs: tests, benchmarks and trainings, each within ten minutes."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .table import RESULTS, describe, slug

PARTS = ("tests", "benchmarks", "supervised", "unsupervised")
BENCHMARKS = ("train_step", "clustering", "ranking", "matching", "memory")
NEEDED = (
    *("faiss", "jsonargparse", "numba", "scipy", "sklearn", "accelerate", "safetensors", "tqdm"),
    *("torchvision", "jinja2", "yaml", "PIL", "tensorboard", "pytest", "hypothesis"),
)
WORK = Path("runs/gpu_check")
LIMIT = 570  # seconds of a part
NOTHING_COLLECTED = 5  # pytest's exit code

Flags = dict[str, object]
FULL: Flags = {
    "backbone": "resnet50",
    "img-h": 144,
    "img-w": 72,
    "batch-size": 128,
    "p-num": 8,
    "k-num": 4,
    "workers": max(1, (os.cpu_count() or 2) - 2),
}
SMALL: Flags = {
    "backbone": "thin-8",
    "img-h": 64,
    "img-w": 32,
    "num-frames": 2,
    "test-frames": 2,
    "p-num": 3,
    "k-num": 4,
    "workers": 0,
    "device": "cpu",
}
COMMON: Flags = {
    "dataset": "hitsz-vcm",
    "weights": "none",
    "augmentation": "recolour",
    "optimiser": "adamw",
    "schedule": "cosine",
    "lr": "1e-3",
}
# Two dozen tracks of a modality: with longer lists everything becomes one cluster.
SMALL_CLUSTERS: Flags = {"k1": 6, "k2": 3, "joint-k1": 8, "joint-k2": 4}
CLUSTERS: Flags = {"k1": 10, "k2": 4, "eps": 0.5, "on-collapse": "relax", "contrast-weight": 1.0}


def supervised(small: bool) -> list[tuple[str, Flags]]:
    """The command of a training from labels."""
    length: Flags = (
        {"epochs": 2, "steps": 6} if small else {"epochs": 8, "steps": 100, "test-interval": 4}
    )
    return [
        (
            "mmm",
            {"supervised": True, "separation-weight": 1.0, "output": WORK / "supervised", **length},
        )
    ]


def unsupervised(small: bool) -> list[tuple[str, Flags]]:
    """The commands of both stages without labels."""
    first: Flags = {
        "pretrain-epochs": 10,
        "pretrain-steps": 40,
        "intra-epochs": 3,
        "cross-epochs": 2,
    }
    first |= {"pretrain-tracks": 32, "steps": 40, "test-interval": 5}
    second: Flags = {"epochs": 4, "steps": 40, "test-interval": 2}
    if small:
        first = {"pretrain-epochs": 2, "pretrain-steps": 6, "intra-epochs": 1, "cross-epochs": 1}
        first |= {"pretrain-tracks": 6, "steps": 4}
        second = {"epochs": 1, "steps": 4}
        first, second = {**first, **SMALL_CLUSTERS}, {**second, **SMALL_CLUSTERS}
    stage_one = WORK / "baseline"
    return [
        ("baseline", {**CLUSTERS, **first, "output": stage_one}),
        ("mmm", {**CLUSTERS, **second, "baseline": stage_one, "output": WORK / "mmm"}),
    ]


TRAININGS = {"supervised": supervised, "unsupervised": unsupervised}


def command_line(command: str, flags: Flags) -> list[str]:
    """A command of vireid as arguments of a process."""
    words = [sys.executable, "-m", "vireid", command]
    for name, value in flags.items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def run(words: Sequence[str], until: float) -> int:
    """Runs a process until a time; what it was doing then is interrupted, not killed."""
    print("$", " ".join(words), flush=True)
    process = subprocess.Popen(words)
    try:
        return process.wait(max(1.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        print("the time of this part is over: interrupted", flush=True)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        return 124


def tests(small: bool, until: float) -> int:
    """The tests that are marked gpu; without a GPU all of them skip."""
    code = run([sys.executable, "-m", "pytest", "-m", "gpu", "-q"], until)
    return 0 if code == NOTHING_COLLECTED else code


def benchmarks(small: bool, until: float) -> int:
    """Every benchmark in turn."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    codes = []
    for part in BENCHMARKS:
        flags = ["--device", device, "--write", *(["--quick"] if small else [])]
        codes.append(run([sys.executable, "-m", f"benchmarks.{part}", *flags], until))
    return max(codes)


def training(part: str, small: bool, until: float) -> int:
    """Renders the set, trains, and writes what came out."""
    preset = "tiny" if small else "bench"
    data = WORK / f"data-{preset}"
    code = run([sys.executable, "-m", "vireid", "synth", str(data), "--preset", preset], until)
    if code:
        return code
    lines: list[str] = []
    for command, flags in TRAININGS[part](small):
        output = Path(str(flags["output"]))
        if output.exists():
            output.rename(output.with_name(f"{output.name}-{time.time_ns()}"))
        given = {**COMMON, "data-dir": data, **(SMALL if small else FULL), **flags}
        words = command_line(command, given)
        started = time.monotonic()
        code = run(words, until)
        lines += ["", f"`vireid {' '.join(words[3:])}`", ""]
        lines += [f"Exit code {code} after {time.monotonic() - started:.0f} s."]
        lines += tabulate(read_records(output / "metrics.jsonl"))
        if code:
            break
    write(part, preset, lines)
    return code


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a run; none where it did not start."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tabulate(records: Sequence[dict[str, Any]]) -> list[str]:
    """Epochs and evaluations of a run as Markdown."""
    lines = [
        "",
        "| stage | epoch | loss | clips/s | seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for one in records:
        if one["kind"] == "train":
            numbers = f"{one['loss']:.3f} | {one['clips_per_second']:.0f} | {one['seconds']:.0f}"
            lines.append(f"| {one['stage']} | {one['epoch']} | {numbers} |")
    lines += [
        "",
        "| stage | epoch | protocol | Rank-1 | mAP |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    for one in records:
        if one["kind"] == "evaluation":
            score = f"{100 * one['rank1']:.1f} | {100 * one['mAP']:.1f}"
            lines.append(f"| {one['stage']} | {one['epoch']} | {one['protocol']} | {score} |")
    return lines


def write(part: str, preset: str, lines: Sequence[str]) -> None:
    """Writes ``training-<part>-<device>.md``."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    RESULTS.mkdir(parents=True, exist_ok=True)
    head = [
        f"# {part} training on {describe(device)}",
        "",
        f"Synthetic set, preset {preset}, random weights; torch {torch.__version__}.",
    ]
    path = RESULTS / f"training-{part}-{slug(device)}.md"
    path.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")
    print(f"written to {path}", flush=True)


def main() -> int:
    """Runs the parts asked for; 0 if all of them did."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("part", choices=(*PARTS, "all"))
    flags.add_argument("--small", action="store_true", help="a tiny size, on the CPU")
    given = flags.parse_args()
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{sys.executable} lacks: {', '.join(missing)}", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    codes = {}
    for part in PARTS if given.part == "all" else (given.part,):
        started = time.monotonic()
        until = started + LIMIT
        if part in TRAININGS:
            codes[part] = training(part, given.small, until)
        else:
            codes[part] = {"tests": tests, "benchmarks": benchmarks}[part](given.small, until)
        print(f"{part}: exit code {codes[part]}, {time.monotonic() - started:.0f} s", flush=True)
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(main())
