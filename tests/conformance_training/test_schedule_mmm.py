"""What the image recipes print is what the released code does, epoch by epoch."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from training_vectors import each_vector, facts
from vireid.cli import main
from vireid.mmm.released_losses import MARGIN

CONFIGS = Path(__file__).parents[2] / "configs"
PATTERN = "schedule_mmm*.json"
SETS = ("sysu-mm01", "regdb")
OPTIMISER = ("momentum", "dampening", "nesterov", "betas", "eps", "amsgrad")
# The published terms of stage two by our names.
TERMS = {
    "cross_entropy": ("ID",),
    "triplet": ("triplet",),
    "intra": ("visible mimic", "infrared mimic"),
    "inter": ("visible alignment", "infrared alignment"),
}


@pytest.fixture
def printed(capsys):
    """The schedules that a command prints for a recipe, by stage."""

    def run(command, recipe):
        config = str(CONFIGS / f"{recipe.replace('-', '_')}.yaml")
        assert main([command, "--config", config, "--print_schedule", "json"]) == 0
        records = map(json.loads, capsys.readouterr().out.splitlines())
        return {record["stage"]: record for record in records}

    return run


def same_groups(found, published, rates_of):
    """Compares optimiser and rates; ``rates_of`` finds our group for the members of theirs."""
    assert found["optimiser"] == published["optimiser"].lower()
    for group in published["groups"]:
        assert found["weight_decay"] == group["weight_decay"]
        for name in OPTIMISER:
            assert found.get(name) == group.get(name), name
        np.testing.assert_allclose(
            rates_of(group["members"]), group["lr_by_epoch"], rtol=0, atol=1e-9
        )


def losses_of(found, epoch):
    return [p["losses"] for p in found["phases"] if p["from_epoch"] <= epoch + 1][-1]


@each_vector(PATTERN)
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("part", "stage"), [("1a", "intra_modality"), ("1b", "cross_modality")])
def test_stage_one(vector, name, part, stage, printed):
    published = facts(vector)[f"baseline {part} {name}"]
    found = printed("baseline", f"mmm-{name}-baseline")[stage]
    same_groups(found, published, lambda members: found["groups"][0]["lr_by_epoch"])
    assert len(found["groups"]) == 1
    assert found["epochs"] == published["epochs"]
    assert found["batches_per_epoch"] == published["optimiser_steps_per_epoch"]
    (phase,) = found["phases"]
    kinds = 2 if published["joint_batch"] else 1
    assert found["batches_per_epoch"] == kinds * published["iterations_per_epoch"]
    assert len(phase["batches"]) == kinds
    for batch, theirs in zip(phase["batches"], (published, published["joint_batch"])):
        assert (batch["p"], batch["k"]) == (theirs["p_per_modality"], theirs["k_per_modality"])
        assert batch["p"] * batch["k"] == theirs["batch_per_modality"]
        assert batch["clips"] == published["images_in_forward_pass"]
    assert phase["losses"] == {
        f"{'joint ' if key.startswith('joint') else ''}{side} memory": weight
        for key, weight in published["loss_weights"].items()
        for side in ("visible", "infrared")
        if side in key
    }
    settings = found["settings"]
    assert (settings["img_h"], settings["img_w"]) == (published["height"], published["width"])
    assert settings["memory_temperature"] == published["temperature"]
    assert settings["memory_momentum"] == published["memory_momentum"]
    assert settings["memory_mode"] == ("hard" if published["hard_update"] else "all")
    for key in ("k1", "k2", "eps", "min_samples", "joint_k1", "joint_k2", "seed"):
        if published[key] is not None:
            assert settings[key] == published[key], key
    assert found["start"] == ("imagenet" if part == "1a" else "intra_modality")


@each_vector(PATTERN)
@pytest.mark.parametrize("name", SETS)
def test_stage_two_as_released(vector, name, printed):
    published = facts(vector)[f"main {name}"]
    found = printed("mmm", f"mmm-{name}-released")["mmm"]
    groups = {group["members"]: group["lr_by_epoch"] for group in found["groups"]}

    def rates(members):
        parts = {"head" if part in ("bottleneck", "classifier") else "backbone" for part in members}
        (part,) = parts
        return groups[part]

    same_groups(found, published, rates)
    assert len(groups) == 2
    assert found["epochs"] == published["epochs"]
    for epoch, weights in enumerate(published["loss_weights_by_epoch"]):
        ours = losses_of(found, epoch)
        assert set(ours) <= set(chain(*TERMS.values()))
        for theirs, terms in TERMS.items():
            assert {ours.get(term, 0) for term in terms} == {weights[theirs]}, (epoch, theirs)
        assert ("triplet" in ours) == weights["weighted"]
    assert [phase["from_epoch"] - 1 for phase in found["phases"]] == [0, published["warm_epochs"]]
    main_phase = published["main_phase"]
    warm, batch = (phase["batches"][0] for phase in found["phases"])
    assert warm["p"] * warm["k"] == 2 * published["warm_phase"]["pairs"]
    assert batch["p"] * batch["k"] == 2 * main_phase["pairs"]
    assert (batch["p"], batch["k"]) == (main_phase["p"], 2 * main_phase["k_per_modality"])
    images = main_phase["images"]
    assert batch["clips"] == {
        "visible": images["visible_plain"] + images["visible_exchanged"],
        "infrared": images["infrared"],
    }
    settings = found["settings"]
    assert (settings["img_h"], settings["img_w"]) == (published["height"], published["width"])
    assert published["triplet_margin"] == MARGIN
    # As published it reads no network of stage one.
    assert found["start"] == "imagenet"
    assert published["starts_from"].startswith("ImageNet")
    assert (settings["seed"], settings["flip"]) == (published["seed"], published["evaluation_flip"])
