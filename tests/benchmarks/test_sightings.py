"""Sightings that are drawn, and what centres of several kinds match, on people who were made up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from vireid.commands.mmm import MMMSettings

from benchmarks import sightings
from benchmarks.right_matches import Clusters
from benchmarks.sightings import (
    CENTRES,
    by_camera,
    clusters_of,
    line,
    mean_and_hardest,
    right_share,
    some_sightings,
)
from benchmarks.world import World

PEOPLE, SIGHTINGS = 6, 4


def world():
    """Six people, four tracklets in each modality, each person with two looks.

    Visible cameras see mostly the first look of person p, infrared ones mostly the second, which is
    close to the first look of person p - 1. So means are closest for different people, and centres
    of the looks for one.
    """
    who = np.repeat(np.arange(PEOPLE), SIGHTINGS)
    axes = torch.eye(2 * PEOPLE)
    first = axes[:PEOPLE]
    second = 0.9 * first.roll(1, 0) + (1 - 0.9**2) ** 0.5 * axes[PEOPLE:]
    looks = torch.stack([first, second], 1)
    visible = np.tile([0, 0, 0, 1], PEOPLE)
    infrared = np.tile([0, 1, 1, 1], PEOPLE)
    people = np.concatenate([who, who])
    return World(
        [str(number) for number in range(len(people))],
        np.zeros((len(people), 2 * PEOPLE), np.float32),
        torch.cat([looks[who, visible], looks[who, infrared]]),
        people,
        np.repeat([0, 1], len(who)),
        np.concatenate([visible, 2 + infrared]),
        people,
        MMMSettings(dataset="hitsz-vcm", data_dir=Path(), output=Path("out"), baseline=Path()),
    )


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_each_person_keeps_so_many_sightings_of_each_modality(count):
    made = world()
    rows = some_sightings(made, count, seed=0)
    assert len(np.unique(rows)) == len(rows)
    kinds = made.people[rows] * 2 + made.modalities[rows]
    assert (np.bincount(kinds) == min(count, SIGHTINGS)).all()
    if count < SIGHTINGS:
        assert not np.array_equal(rows, some_sightings(made, count, seed=1))


def test_people_are_clusters_counted_within_each_modality():
    made = world()
    rows = np.flatnonzero(made.people >= 2)
    labels = clusters_of(made, rows, SIGHTINGS, true=True)
    assert np.array_equal(labels, made.people[rows] - 2)


@pytest.mark.parametrize(("count", "neighbours"), [(4, 30), (60, 60)])
def test_clusters_are_found_among_as_many_neighbours_as_sightings(monkeypatch, count, neighbours):
    asked = []
    monkeypatch.setattr(
        sightings, "intra_modality_labels", lambda *given, **_: asked.append(given[2].k1)
    )
    clusters_of(world(), np.arange(4), count, true=False)
    assert asked == [neighbours]


def test_a_camera_that_has_not_seen_a_cluster_gives_the_mean_of_the_cluster():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.6, 0.8]])
    labels, cameras = np.array([0, 0, 1, -1]), np.array([4, 7, 7, 4])
    centres = by_camera(features, labels, cameras, 0)
    expected = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
    torch.testing.assert_close(centres, expected)


def test_the_hardest_member_is_the_one_least_like_the_mean():
    features = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]]), dim=1
    )
    centres = mean_and_hardest(features, np.array([0, 0, 0, 1, -1]), np.zeros(5, np.int64), 0)
    torch.testing.assert_close(centres[:, 1], features[[2, 3]])


def test_centres_match_by_looks_where_means_mix_them():
    made = Clusters(world())
    right = {name: right_share(made, centres, "one-to-one", 0) for name, centres in CENTRES.items()}
    assert right["K = 1"] == 0
    assert {right[name] for name in ("K = 2", "K = 4", "one a camera")} == {1.0}


def test_a_row_says_what_is_gained_over_one_centre():
    cells = [cell.strip() for cell in line([world()], 4, True, "one-to-one", 2)[2:-2].split("|")]
    assert cells[:6] == ["4", "people", "4.0", str(PEOPLE), "0%", "+100.0 ± 0.0"]
    assert len(cells) == 4 + len(CENTRES)


def test_the_spread_is_between_people_where_there_are_several_draws_of_them():
    easy = replace(world(), features=torch.eye(PEOPLE)[np.tile(np.repeat(range(PEOPLE), 4), 2)])
    cells = [cell.strip() for cell in line([world(), easy], 4, True, "one-to-one", 2).split("|")]
    # Means are right on the second alone, so centres gain 100 points on the first and none there.
    assert cells[5:7] == ["50%", "+50.0 ± 70.7"]


def test_a_row_without_clusters_says_so():
    cells = [
        cell.strip()
        for cell in line([world(), world()], 1, False, "one-to-one", 2)[2:-2].split("|")
    ]
    assert cells[:3] == ["1", "found", "none"]
    assert len(cells) == 4 + len(CENTRES)
