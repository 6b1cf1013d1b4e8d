"""Memory of a training step of each published recipe: counted, and measured on the CPU."""

from __future__ import annotations

import contextlib
import io
import json
import math
import multiprocessing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
import yaml
from vireid import cli, configs
from vireid.datasets.registry import known_spec
from vireid.engine.planned_stages import stand_in_losses, stand_in_memory
from vireid.engine.step_memory import StepMemory, StepShape, training_step_memory
from vireid.engine.training import STATE_COPIES
from vireid.models.network import Network, network_named

from .measure import measure
from .table import Table, parser

GIB = 2**30
CPU = torch.device("cpu")
# Classes of a classifier and prototypes of the memories; a step hardly takes more for them.
IDENTITIES, PROTOTYPES = 500, 2000
PARTS = (1, 2, 4)
RECIPES = {
    "M3-ReID on HITSZ-VCM, BUPTCampus": ("mmm", "m3reid_hitsz_vcm"),
    "AGW on SYSU-MM01, RegDB: stage one": ("baseline", "mmm_sysu_mm01_baseline"),
    "AGW on SYSU-MM01, RegDB: stage two, paper": ("mmm", "mmm_sysu_mm01"),
    "AGW on SYSU-MM01, RegDB: stage two, released": ("mmm", "mmm_sysu_mm01_released"),
}
SMALL = {"images, small": ("baseline", "demo_images_baseline")}


@dataclass(frozen=True)
class RecipeStep:
    """The largest step of a recipe.

    Attributes:
        network, backbone: by name.
        shape: what the network gets, in one part.
        optimiser: by name.
        identities: classes of the classifier; 0 = none.
    """

    network: str
    backbone: str
    shape: StepShape
    optimiser: str
    identities: int

    def build(self) -> Network:
        """The network with random weights."""
        kind = network_named(self.network)
        model = kind.build(
            self.identities,
            num_frames=self.shape.frames,
            weights=None,
            backbone=self.backbone,
        )
        return model.to(memory_format=torch.channels_last).train()


def recipe_step(command: str, recipe: str) -> RecipeStep:
    """What a shipped recipe trains on, by its own schedule.

    Args:
        command: that reads it.
        recipe: the file's name without its ending, below ``configs/``.
    """
    file = Path(configs.__file__).parent / f"{recipe}.yaml"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        cli.main([command, "--config", str(file), "--print-schedule", "json"])
    stages = [json.loads(line) for line in said.getvalue().splitlines()]
    given = yaml.safe_load(file.read_text(encoding="utf-8"))
    spec = known_spec(given["dataset"])
    images = spec is not None and spec.images
    clips = max(
        (batch["clips"] for stage in stages for p in stage["phases"] for batch in p["batches"]),
        key=lambda counts: sum(counts.values()),
    )
    # Batches of whatever modality are taken for half of each.
    visible = clips.get("visible", math.ceil(clips.get("clips", 0) / 2))
    classified = bool(given.get("supervised")) or given.get("variant") == "released"
    shape = StepShape(
        visible,
        sum(clips.values()) - visible,
        1 if images else given["num_frames"],
        given["img_h"],
        given["img_w"],
        prototypes=0 if classified else PROTOTYPES,
    )
    return RecipeStep(
        "agw" if images else "m3reid",
        given["backbone"],
        shape,
        given["optimiser"],
        IDENTITIES if classified else 0,
    )


def counted(step: RecipeStep, parts: int, *, half: bool) -> tuple[StepMemory, int]:
    """What a step takes, and weights and optimiser state beside it, bytes.

    Args:
        step: of a recipe.
        parts: of the batch.
        half: whether the network runs in half precision. The CPU's rule of what does is taken: on
            a card a few small operations more are in float32.
    """
    autocast = partial(torch.autocast, "cpu", torch.bfloat16, enabled=half)
    runtime = SimpleNamespace(device=CPU, autocast=autocast)
    model = step.build()
    shape = replace(step.shape, accumulate=parts)
    found = training_step_memory(model, shape, runtime)  # type: ignore[arg-type]
    weights = sum(value.nbytes for value in model.state_dict().values())
    return found, weights + STATE_COPIES[step.optimiser] * found.gradients


def measured(step: RecipeStep) -> float | None:
    """MiB by which a process grows in a float32 step on the CPU, in one part; None = unknown."""
    model, shape = step.build(), step.shape
    few = replace(shape, visible=1, infrared=1)

    def take() -> None:
        model.zero_grad(set_to_none=True)
        output = model.forward_features(shape.clip_tensor(), shape.modalities())
        rows = torch.ones(max(1, shape.prototypes), output.embeddings.shape[1])
        memory = stand_in_memory(rows) if shape.prototypes else None
        losses = stand_in_losses(output, memory)
        del output
        torch.stack(list(losses.values())).sum().backward()

    model.forward_features(few.clip_tensor(), few.modalities())  # loads what it needs
    return measure(take, CPU).mebibytes


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument(
        "--most", type=float, default=6.0, help="GiB of a step that is still measured for real"
    )
    given = flags.parse_args()
    table = Table("recipe_memory", CPU)
    count(table, SMALL if given.quick else RECIPES)
    confirm(table, SMALL if given.quick else RECIPES, given.most)
    if given.write:
        table.write(given.note)


def count(table: Table, recipes: dict[str, tuple[str, str]]) -> None:
    """GiB of each recipe in either precision, whole and in parts."""
    names = [
        f"{kind}{'' if n == 1 else f', {n} parts'}" for kind in ("float32", "half") for n in PARTS
    ]
    head = ("recipe", "clips x frames", *names, "of it weights, optimiser")
    table.section("GiB of a training step with weights and optimiser, counted", head)
    for name, recipe in recipes.items():
        step, cells = recipe_step(*recipe), []
        for half in (False, True):
            for parts in PARTS:
                found, state = counted(step, parts, half=half)
                cells.append(f"{(found.tensors + state) / GIB:.1f}")
        size = (
            f"{step.shape.clips} x {step.shape.frames} of {step.shape.height} x {step.shape.width}"
        )
        table.cells(name, size, *cells, f"{state / GIB:.1f}")


def confirm(table: Table, recipes: dict[str, tuple[str, str]], most: float) -> None:
    """A real float32 step on the CPU beside what is counted for it, with ever fewer clips."""
    head = ("recipe", "clips x frames", "counted", "with holes of the heap", "measured", "ratio")
    table.section("GiB of a float32 step on the CPU, beside the weights", head)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for name, recipe in recipes.items():
            step = recipe_step(*recipe)
            found, _ = counted(step, 1, half=False)
            while found.activations > most * GIB and step.shape.clips > 2:
                step = _halved(step)
                found, _ = counted(step, 1, half=False)
            taken = pool.apply(measured, (step,))
            said = ("unknown", "-")
            if taken is not None:
                share = taken * 2**20 / found.activations
                said = f"{taken / 1024:.2f}", f"{share:.2f}"
            table.cells(
                name,
                f"{step.shape.clips} x {step.shape.frames}",
                f"{found.tensors / GIB:.2f}",
                f"{found.activations / GIB:.2f}",
                *said,
            )


def _halved(step: RecipeStep) -> RecipeStep:
    shape = step.shape
    fewer = replace(shape, visible=max(1, shape.visible // 2), infrared=max(1, shape.infrared // 2))
    return replace(step, shape=fewer)


if __name__ == "__main__":
    main()
