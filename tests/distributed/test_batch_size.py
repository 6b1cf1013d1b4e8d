"""What a run says about its batch."""

from pathlib import Path

import pytest
from vireid.distributed.batch_size import batch_record, batch_warnings
from vireid.engine.options import TrainingOptions
from vireid.options import read_yaml

RECIPES = Path(__file__).parents[2] / "configs"


def config(**settings):
    return TrainingOptions(
        dataset="hitsz-vcm", data_dir=Path("data"), output=Path("run"), p_num=4, k_num=8, **settings
    )


@pytest.mark.parametrize(
    ("settings", "bn_batch"),
    [
        ({}, 32),
        ({"bn_batch": 8}, 8),
        ({"bn_batch": 99}, 32),
        ({"accumulate": 4, "bn_batch": 16}, 8),
    ],
)
def test_the_record_names_the_batch_that_batch_norm_sees(settings, bn_batch):
    record = batch_record(config(**settings))
    assert (record["batch"], record["bn_batch"], record["processes"]) == (32, bn_batch, 1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, []),
        ({"recipe_batch": 32}, []),
        ({"recipe_batch": 64}, ["effective batch is 32"]),
        ({"recipe_batch": 32, "bn_batch": 8}, ["batch norm sees 8 clips"]),
        ({"recipe_batch": 32, "accumulate": 2}, ["about 16 at a time"]),
        ({"recipe_batch": 64, "bn_batch": 8}, ["effective batch is 32", "batch norm sees 8 clips"]),
        ({"bn_batch": 8}, []),
    ],
)
def test_leaving_the_recipe_is_said(settings, words):
    notes = batch_warnings(config(**settings))
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes))


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("m[3m]*.yaml")), ids=lambda path: path.stem)
def test_published_recipes_know_their_batch(recipe):
    given = read_yaml(recipe)
    assert given["recipe_batch"] == given["p_num"] * given["k_num"]


@pytest.mark.parametrize("name", ["bn_batch", "accumulate", "recipe_batch"])
def test_settings_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is at least 1"):
        config(**{name: 0})
