"""Settings of the smallest runs, as flags; `torchrun tiny_runs.py FILE` runs a list of them."""

import json
import sys
from pathlib import Path

from vireid.cli import main

COMMON = {
    "dataset": "hitsz-vcm",
    "img_h": 32,
    "img_w": 16,
    "num_frames": 2,
    "test_frames": 2,
    "cache": "memory",
    "workers": 0,
    "backbone": "thin-8",
    "augmentation": "recolour",
    "optimiser": "adamw",
    "k1": 6,
    "k2": 3,
    "eps": 0.5,
    "min_samples": 2,
    "on_collapse": "relax",
    "p_num": 3,
    "k_num": 4,
    # Adam's first steps do not shrink with a gradient: larger rates make of rounding a difference.
    "lr": 2e-5,
    "device": "cpu",
    "precision": "fp32",
}
BASELINE = {
    **COMMON,
    "weights": "none",
    "warmup_epochs": 1,
    "warmup_steps": 2,
    "warmup_tracks": 6,
    "warmup_lr": 2e-5,
    "within_epochs": 2,
    "across_epochs": 1,
    "steps": 3,
    "joint_k1": 8,
    "joint_k2": 4,
    "joint_eps": 0.6,
    "contrast_weight": 1.0,
}
MMM = {**COMMON, "epochs": 3, "steps": 3, "contrast_weight": 1.0}


def flags(command, data, output, settings):
    """The command line of a run."""
    line = [command, "--data-dir", str(data), "--output", str(output)]
    for name, value in settings.items():
        line += [f"--{name.replace('_', '-')}", str(value)]
    return line


if __name__ == "__main__":
    for line in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        code = main(line)
        if code:
            sys.exit(code)
