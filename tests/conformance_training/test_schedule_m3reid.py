"""What the video recipes print is what the released code does, epoch by epoch."""

import json
from pathlib import Path

import numpy as np
import pytest
from training_vectors import each_vector, facts
from vireid.cli import main

CONFIGS = Path(__file__).parents[2] / "configs"
PATTERN = "schedule_m3reid*.json"
SETS = ("hitsz-vcm", "bupt-campus")
# The published terms by our names.
TERMS = {
    "id_clip": "ID clip",
    "id_frame": "ID frame",
    "mma_clip": "MMA clip",
    "mma_frame": "MMA frame",
    "ofr": "OFR",
    "dac": "DAC",
}


@pytest.fixture(params=SETS)
def recipe(request, capsys):
    """Name of the data set, and the schedule that its recipe prints."""
    config = CONFIGS / f"m3reid_{request.param.replace('-', '_')}.yaml"
    assert main(["mmm", "--config", str(config), "--print-schedule", "json"]) == 0
    return request.param, json.loads(capsys.readouterr().out)


@each_vector(PATTERN)
def test_rates_and_optimiser(vector, recipe):
    name, found = recipe
    published = facts(vector)[name]
    assert found["optimiser"] == published["optimiser"].lower()
    (group,), (ours,) = published["groups"], found["groups"]
    assert ours["members"] == "all"
    np.testing.assert_allclose(ours["lr_by_epoch"], group["lr_by_epoch"], rtol=0, atol=1e-9)
    for setting in ("weight_decay", "betas", "eps", "amsgrad"):
        assert found[setting] == group[setting], setting
    assert found["epochs"] == published["epochs"]


@each_vector(PATTERN)
def test_batches_losses_and_sizes(vector, recipe):
    name, found = recipe
    published = facts(vector)[name]
    (phase,) = found["phases"]
    (batch,) = phase["batches"]
    assert (batch["p"], batch["k"]) == (published["p"], published["k"])
    assert batch["clips"] == {"clips": published["batch"]}
    assert batch["rule"].startswith("identity")
    weights = {
        TERMS[term]: weight for term, weight in published["loss_weights"].items() if term in TERMS
    }
    assert phase["losses"] == weights
    settings = found["settings"]
    assert (settings["img_h"], settings["img_w"]) == (published["height"], published["width"])
    assert settings["num_frames"] == published["frames"]
    assert settings["seed"] == published["seed"]
    assert isinstance(found["batches_per_epoch"], str)  # the data decide, as published
