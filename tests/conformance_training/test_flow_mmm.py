"""Stems, features, checkpoints and noise over the whole flow of MMM, on images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from training_vectors import each_vector, facts
from vireid.baselines.settings import BaselineSettings
from vireid.commands.command_line import parse
from vireid.commands.mmm import MMMSettings
from vireid.datasets.registry import dataset_spec
from vireid.datasets.samplers import UnifiedBatchSampler, UnpairedBatchSampler
from vireid.datasets.track import Modality
from vireid.engine.encoder import Encoder
from vireid.engine.runtime import Runtime
from vireid.memory import cluster_means
from vireid.mmm.schedules import stage_two_schedule
from vireid.models import AGW
from vireid.pseudo_labels.labelling import clustering_features

PATTERN = "flow_mmm*.json"
CONFIGS = Path(__file__).parents[2] / "configs"
SIDES = {"visible": Modality.VISIBLE, "infrared": Modality.INFRARED}
LETTERS = {"visible": "v", "infrared": "i"}


def recipe(name, kind):
    flags = ["--config", str(CONFIGS / f"mmm_{name.replace('-', '_')}_{kind}.yaml")]
    flags += ["--data-dir", "data", "--output", "run"]
    if kind == "released":
        flags += ["--baseline", "run"]
    settings = MMMSettings if kind == "released" else BaselineSettings
    return parse(settings, flags, program="vireid", description="")


@pytest.fixture
def stem_of():
    """Which stem of AGW an image of a modality is sent through when features are extracted."""
    model, used = AGW(0, backbone="thin-8"), []
    model.visible_stem.register_forward_hook(lambda *_: used.append("visible"))
    model.infrared_stem.register_forward_hook(lambda *_: used.append("infrared"))
    encoder = Encoder(model, Runtime("cpu", "fp32"))

    def run(side):
        used.clear()
        clips = torch.zeros(2, 1, 3, 32, 16, dtype=torch.uint8)
        encoder(clips, torch.full((2,), int(SIDES[side])))
        (found,) = set(used)
        return found

    return run


@each_vector(PATTERN)
@pytest.mark.parametrize("stage", ["stage_one", "stage_two"])
def test_who_asks_and_through_which_stem(vector, stage, stem_of):
    for name, test in facts(vector)[stage].items():
        spec = dataset_spec(name)
        # RegDB's names say thermal.
        directions = {one.name.split("/")[-1].replace("t", "i") for one in spec.protocols}
        assert f"{LETTERS[test['query_images']]}2{LETTERS[test['gallery_images']]}" in directions
        for side in ("query", "gallery"):
            stem = stem_of(test[f"{side}_images"])
            # The released test of stage one on RegDB exchanges the stems; ours does not.
            assert (stem == test[f"{side}_stem"]) == ("fault" not in test)


@each_vector(PATTERN)
def test_features_of_each_purpose(vector):
    told = facts(vector)["features"]
    for name in ("sysu-mm01", "regdb"):
        assert recipe(name, "baseline").flip == ("mirror" in told["stage_one_clustering"])
        assert not recipe(name, "released").flip
    assert "no mirror" in told["stage_two_test"]
    # Stored rows are shorter than 1; they are matched as they are.
    assert "as they are" in told["matching"]
    rows = 0.7 * torch.nn.functional.normalize(torch.randn(9, 5), dim=1)
    options = recipe("sysu-mm01", "released")
    assert torch.equal(clustering_features(rows, np.zeros(9, int), options), rows)
    assert told["cluster_memory_start"].endswith("then normalised")
    rows[::2] *= 0.5
    labels = torch.tensor([0, 0, 0, 1, 1, -1, 1, 0, -1])
    means = torch.stack([rows[labels == label].mean(0) for label in (0, 1)])
    wanted = torch.nn.functional.normalize(means, dim=1)
    torch.testing.assert_close(cluster_means(rows, labels), wanted)


@each_vector(PATTERN)
def test_stage_two_starts_from_imagenet(vector):
    told = facts(vector)["checkpoints"]
    for name in ("sysu-mm01", "regdb"):
        start = stage_two_schedule(recipe(name, "released")).start
        assert start == told["stage_two_starts"].lower()


@each_vector(PATTERN)
def test_noise_is_in_no_batch_and_in_no_memory(vector):
    told = facts(vector)["noise"]
    assert not told["in_batches"]
    assert not told["in_memories"]
    labels, modalities = np.array([0, 1, -1, 0, 1, -1] * 2), np.repeat([0, 1], 6)
    for sampler in (
        UnifiedBatchSampler(labels, modalities, 2, 4, 20),
        UnpairedBatchSampler(labels, modalities, 3, 20),
    ):
        assert {int(labels[row]) for batch in sampler for row in batch} == {0, 1}
    rows = torch.randn(12, 3)
    without = torch.from_numpy(labels >= 0)
    torch.testing.assert_close(
        cluster_means(rows, torch.from_numpy(labels)),
        cluster_means(rows[without], torch.from_numpy(labels)[without]),
    )
