"""The table of recipes' memory: steps as the recipes have them, counted and measured."""

import pytest
import torch

from benchmarks import recipe_memory
from benchmarks.recipe_memory import RECIPES, recipe_step
from benchmarks.table import Table


@pytest.mark.parametrize(
    ("recipe", "step"),
    [
        ("M3-ReID on HITSZ-VCM, BUPTCampus", ("m3reid", 16, 16, 6, "adam", 500)),
        ("AGW on SYSU-MM01, RegDB: stage one", ("agw", 256, 128, 1, "adam", 0)),
        ("AGW on SYSU-MM01, RegDB: stage two, paper", ("agw", 64, 32, 1, "sgd", 0)),
        ("AGW on SYSU-MM01, RegDB: stage two, released", ("agw", 48, 24, 1, "sgd", 500)),
    ],
)
def test_the_step_is_the_recipes(recipe, step):
    found = recipe_step(*RECIPES[recipe])
    shape = found.shape
    counts = shape.visible, shape.infrared, shape.frames
    assert (found.network, *counts, found.optimiser, found.identities) == step
    assert (found.backbone, shape.height, shape.width) == ("resnet50", 288, 144)
    # Two data sets share a row where their recipes take the same steps.
    command, file = RECIPES[recipe]
    other = file.replace("hitsz_vcm", "bupt_campus").replace("sysu_mm01", "regdb")
    assert recipe_step(command, other) == found


def test_half_precision_and_parts_take_less():
    step = recipe_step(*recipe_memory.SMALL["images, small"])
    taken = {
        (half, parts): recipe_memory.counted(step, parts, half=half)
        for half in (False, True)
        for parts in (1, 4)
    }
    assert taken[True, 1][0].tensors < 0.8 * taken[False, 1][0].tensors
    assert taken[False, 4][0].tensors < 0.5 * taken[False, 1][0].tensors
    weights = sum(value.nbytes for value in step.build().state_dict().values())
    found, state = taken[False, 1]
    assert found.tensors < found.activations  # with the holes of a CPU's heap
    assert state == weights + 2 * found.gradients  # Adam's moments


def test_counted_and_measured_stand_side_by_side(capsys):
    table = Table("recipe_memory", torch.device("cpu"))
    recipe_memory.count(table, recipe_memory.SMALL)
    recipe_memory.confirm(table, recipe_memory.SMALL, most=0.05)
    counted, confirmed = capsys.readouterr().out.split("**GiB of a float32 step")
    assert "| images, small | 128 x 1 of 64 x 32 |" in counted
    clips = int(confirmed.split("images, small | ")[1].split(" x ")[0])
    assert 2 < clips < 128  # halved until it is small enough
