"""Where the checks of a card run, and what they ask of a run's records."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from vireid.supervised.settings import SupervisedSettings
from vireid.supervised.train import train_supervised
from vireid.synthetic import render_dataset

from .gpu_sizes import SMALL, Sizes

LR = 1e-4
NEAR = 0.05  # relative; losses of the same steps in other orders of summation
TINY: dict[str, Any] = {
    "backbone": "thin-8",
    "img_h": 32,
    "img_w": 16,
    "num_frames": 2,
    "test_frames": 2,
    "p_num": 3,
    "k_num": 4,
    "workers": 0,
}
FULL: dict[str, Any] = {"img_h": 144, "img_w": 72, "p_num": 8, "k_num": 4}


@dataclass(frozen=True)
class Place:
    """Where the checks run.

    Attributes:
        device: ``cuda``, or ``cpu`` to see that the checks themselves work.
        small: tiny sizes.
        folder: for sets and runs.
    """

    device: str
    small: bool
    folder: Path

    @property
    def sizes(self) -> Sizes:
        """Of what is measured."""
        return SMALL if self.small else Sizes()

    @property
    def torch_device(self) -> torch.device:
        """The device."""
        return torch.device(self.device)

    def data(self) -> Path:
        """The synthetic set; rendered once."""
        preset = "tiny" if self.small else "demo"
        render_dataset(self.folder / preset, preset=preset, progress=False)
        return self.folder / preset

    def settings(self, name: str, **given: Any) -> dict[str, Any]:
        """Settings of a run with this name, whatever its command."""
        workers = {} if self.small else {"workers": self.sizes.workers}
        return {
            "dataset": "hitsz-vcm",
            "data_dir": self.data(),
            "output": self.folder / name,
            "device": self.device,
            "precision": "fp32",
            "weights": "none",
            "cache": "memory",
            "augmentation": "published",
            "lr": LR,
            **(TINY if self.small else FULL),
            **workers,
            **given,
        }

    def from_labels(self, name: str, **given: Any) -> Path:
        """Trains a few steps from labels."""
        steps: dict[str, Any] = {"epochs": 1, "steps": 3 if self.small else 20}
        return self.train(SupervisedSettings(**self.settings(name, **{**steps, **given})))

    def train(self, settings: SupervisedSettings) -> Path:
        """Runs, and gives back the folder after a look at its records."""
        run = train_supervised(settings)
        assert run is not None
        losses_of(run.path)
        return run.path


def records(run: Path, kind: str) -> list[dict[str, Any]]:
    """Records of a run."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [one for one in map(json.loads, lines) if one["kind"] == kind]


def losses_of(run: Path) -> list[float]:
    """Mean loss of each epoch, all finite."""
    found = [float(one["loss"]) for one in records(run, "train")]
    need(bool(found) and all(map(math.isfinite, found)), f"losses {found}")
    return found


def need(holds: bool, what: str) -> None:
    """Raises where something does not hold; unlike ``assert`` also under ``python -O``."""
    if not holds:
        raise AssertionError(what)


def near(one: Path, other: Path) -> str:
    """Losses of two runs that should have taken the same steps."""
    pairs = list(zip(losses_of(one), losses_of(other), strict=True))
    apart = max(abs(a - b) / abs(b) for a, b in pairs)
    need(apart < NEAR, f"losses {pairs} are {apart:.1%} apart")
    return f"losses {apart:.2%} apart"


def said(run: Path) -> str:
    """Speed and loss of the last epoch."""
    last = records(run, "train")[-1]
    return f"loss {last['loss']:.3f}, {last['clips_per_second']:.0f} clips/s"
