"""``vireid synth``: renders a synthetic data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..options import MOST_PROCESSES, option
from ..synthetic.options import SyntheticOptions
from ..synthetic.scene_plan import SceneOptions


@dataclass(frozen=True, kw_only=True)
class SynthSettings(SyntheticOptions, SceneOptions):
    """Which synthetic set to render."""

    output: Path = option("folder to write")
    layout: Literal["hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb", "llcm"] = option(
        "on-disk layout; the last three are sets of single images", "hitsz-vcm"
    )
    preset: Literal["tiny", "demo", "bench", "views-small", "views-large"] = option(
        "size; the last two, of tracklet layouts, show people from several sides", "demo"
    )
    seed: int = option("who the people and what the cameras are", 0)
    video: bool = option("a scene as video files with tracks, instead of a data set", False)
    workers: int | None = option(
        "rendering processes; unset: one for each core", None, at_most=MOST_PROCESSES
    )


def run_synth(config: SynthSettings) -> int:
    """Renders the set, or the scene."""
    if config.video:
        return _render_video(config)
    from ..synthetic import render_dataset

    rendered = render_dataset(
        config.output,
        layout=config.layout,
        preset=config.preset,
        seed=config.seed,
        train_identities=config.people,
        options=config,
        workers=config.workers,
    )
    done = "was rendered before, in" if rendered.reused else "rendered into"
    print(f"{config.preset}, seed {config.seed}: {done} {config.output}")
    return 0


def _render_video(config: SynthSettings) -> int:
    from ..synthetic.marker import SyntheticError
    from ..synthetic.scene_video import render_scene

    unfit = {
        "--tracklets": config.tracklets,
        "--cameras": config.cameras,
        "--views": config.views,
        "--unshared": config.unshared or None,
    }
    if given := [flag for flag, value in unfit.items() if value is not None]:
        raise SyntheticError(f"{', '.join(given)}: a scene has no such choice; leave it out")
    # Its infrared cameras are thermal ones unless a gap is asked for.
    scene = render_scene(
        config.output, config, seed=config.seed, gap=config.gap or 1.0, workers=config.workers
    )
    done = "was rendered before, in" if scene.reused else "rendered into"
    faults = ", ".join(f"{number:,} {name}" for name, number in scene.faults.items())
    print(
        f"{config.minutes:g} minutes, {scene.people} people, {scene.frames:,} frames, "
        f"{scene.tracks:,} tracks of {scene.boxes:,} boxes ({faults}), seed {config.seed}: {done} "
        f"{config.output}"
    )
    return 0
