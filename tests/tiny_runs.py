"""Settings of the smallest runs, as flags; `torchrun tiny_runs.py FILE` runs a list of them."""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # torchrun knows nothing of pytest
import tiny_settings
from vireid.cli import main

COMMON = {
    **tiny_settings.COMMON,
    "dataset": "hitsz-vcm",
    "num_frames": 2,
    "p_num": 3,
    "k_num": 4,
    # Adam's first steps do not shrink with a gradient: larger rates make of rounding a difference.
    "lr": 2e-5,
}
BASELINE = {
    **COMMON,
    "weights": "none",
    "pretrain_epochs": 1,
    "pretrain_steps": 2,
    "pretrain_tracks": 6,
    "pretrain_lr": 2e-5,
    "intra_epochs": 2,
    "cross_epochs": 1,
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
