"""The share of right matches, on people who were made up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from vireid.commands.mmm import MMMSettings

from benchmarks.right_matches import Clusters, rates
from benchmarks.world import World

PEOPLE, SIGHTINGS = 6, 4


def world(shown):
    """Six people, four tracklets a modality; visible cluster v looks like infrared person shown[v].

    Noise has the last tracklet of the last infrared person.
    """
    looks = torch.eye(PEOPLE)
    who = np.repeat(np.arange(PEOPLE), SIGHTINGS)
    labels = np.concatenate([who, who])
    labels[-1] = -1
    return World(
        [str(number) for number in range(len(labels))],
        np.zeros((len(labels), PEOPLE), np.float32),
        torch.cat([looks[np.asarray(shown)[who]], looks[who]]),
        labels,
        np.repeat([0, 1], len(who)),
        np.repeat([0, 1], len(who)),
        np.concatenate([who, who]),
        MMMSettings(dataset="hitsz-vcm", data_dir=Path(), output=Path("out"), baseline=Path()),
    )


@pytest.mark.parametrize(
    ("shown", "right"),
    [((0, 1, 2, 3, 4, 5), "100%"), ((1, 0, 2, 3, 4, 5), "67%"), ((1, 2, 3, 4, 5, 0), "0%")],
)
def test_matches_are_right_where_both_clusters_show_one_person(shown, right):
    lines = rates(Clusters(world(shown)), [1, 2], starts=2)
    assert len(lines) == 3 + 2 * 3
    for line in lines:
        centres, _, matcher, matched, of_them, of_all = (
            cell.strip() for cell in line[2:-2].split("|")
        )
        assert int(centres) in (1, 2)
        assert (float(matched), of_them, of_all) == (6, right, right), matcher


def test_sizes_leave_noise_out():
    said = Clusters(world(range(PEOPLE))).describe()
    assert "6 visible clusters of 4.0 tracklets, 6 infrared ones of 3.8; 6 people" in said


def test_centres_are_found_among_parts_of_the_tracklets():
    people = world(range(PEOPLE))
    true = people.features
    wrong = torch.roll(true, 1, dims=1)  # everybody visible looks like the next person
    wrong[people.modalities == 1] = true[people.modalities == 1]
    for parts, right in (([wrong, true, true], "100%"), ([wrong, wrong, true], "0%")):
        for line in rates(Clusters(people, torch.cat(parts)), [1], starts=1):
            assert line.endswith(f"| {right} |")
    assert Clusters(people, people.features).describe() == Clusters(people).describe()
