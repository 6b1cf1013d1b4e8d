"""``vireid synth``: renders a synthetic data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import MOST_PROCESSES, option
from ..synthetic.options import SyntheticOptions


@dataclass(frozen=True, kw_only=True)
class SynthSettings(SyntheticOptions):
    """Which synthetic set to render."""

    output: Path = option("folder to write")
    layout: Literal["hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb", "llcm"] = option(
        "on-disk layout; the last three are sets of single images", "hitsz-vcm"
    )
    preset: Literal["tiny", "demo", "bench", "views-small", "views-large"] = option(
        "size; the last two, of tracklet layouts, show people from several sides", "demo"
    )
    seed: int = option("who the people and what the cameras are", 0)
    workers: int | None = option(
        "rendering processes; unset: one for each core", None, at_most=MOST_PROCESSES
    )


def run_synth(config: SynthSettings) -> int:
    """Renders the set."""
    from ..synthetic import render_dataset

    rendered = render_dataset(
        config.output,
        layout=config.layout,
        preset=config.preset,
        seed=config.seed,
        options=config,
        workers=config.workers,
    )
    done = "was rendered before, in" if rendered.reused else "rendered into"
    print(f"{config.preset}, seed {config.seed}: {done} {config.output}")
    return 0
