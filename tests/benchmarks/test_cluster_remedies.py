"""Clusters by each remedy, on people who were made up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from vireid.commands.mmm import MMMSettings

from benchmarks.cluster_remedies import PLAIN, REMEDIES, line, quality
from benchmarks.world import World

PEOPLE, SIGHTINGS, CAMERAS = 5, 12, 2


def world():
    """Five people who look like nobody else, twelve tracklets of each by two cameras a modality."""
    who = np.tile(np.repeat(np.arange(PEOPLE), SIGHTINGS), 2)
    looks = torch.eye(PEOPLE)[torch.from_numpy(who)]
    features = looks + 0.01 * torch.randn(looks.shape, generator=torch.manual_seed(0))
    settings = MMMSettings(
        dataset="hitsz-vcm",
        data_dir=Path(),
        output=Path("out"),
        baseline=Path(),
        k1=12,
        k2=4,
        joint_k1=24,
        joint_k2=6,
    )
    modalities = np.repeat([0, 1], PEOPLE * SIGHTINGS)
    return World(
        [str(number) for number in range(len(who))],
        features.numpy(),
        torch.nn.functional.normalize(features, dim=1),
        np.full(len(who), -1),
        modalities,
        np.arange(len(who)) % CAMERAS + CAMERAS * modalities,
        who,
        settings,
    )


@pytest.mark.parametrize("remedy", [PLAIN, *REMEDIES])
def test_every_remedy_finds_people_who_look_like_nobody_else(remedy):
    cells = line(world(), remedy, 0.5)[2:-2].split(" | ")
    assert cells[:2] == [remedy, "0.5"]
    assert cells[2:] == ["1.000, 1.000, 0%"] * 3


def test_quality_counts_noise_as_people_of_their_own():
    people = np.array([7, 7, 7, 9, 9, 9])
    assert quality(np.array([0, 0, 0, 1, 1, 1]), people) == "1.000, 1.000, 0%"
    # One of four is wrong, two tracks are alone: of the six pairs in a cluster three are right, of
    # six that there are; by chance it would be 6 * 6 / 15.
    agreement = (3 - 6 * 6 / 15) / (6 - 6 * 6 / 15)
    found = quality(np.array([0, 0, 0, 0, -1, -1]), people)
    assert found == f"{agreement:.3f}, 0.750, 33%"
    assert quality(np.full(6, -1), people) == "0.000, 0.000, 100%"
