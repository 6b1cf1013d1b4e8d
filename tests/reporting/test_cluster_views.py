"""What the report makes of a clustering: groups, confused pairs, matching matrix, map."""

from __future__ import annotations

import base64
import io
import itertools
import json
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from vireid.datasets.track import Modality, Track
from vireid.pseudo_labels.stored_clustering import StoredClustering
from vireid.reporting.cluster_groups import cluster_groups, pick_groups, split_people
from vireid.reporting.confusion import clothing_colours, pair_kinds, verdict
from vireid.reporting.feature_map import embed, map_charts, pick_tracks
from vireid.reporting.matching_matrix import matching_matrix


def clustering(people, labels, cameras=None, modalities=None, **more):
    count = len(labels)
    modalities = [0] * count if modalities is None else modalities
    people = [None] * count if people is None else people
    cameras = [1] * count if cameras is None else cameras
    rows = torch.randn(count, 8, generator=torch.Generator().manual_seed(0))
    return StoredClustering(
        [
            Track((), Modality(m), int(c), None if p is None else int(p), str(n))
            for n, (m, c, p) in enumerate(zip(modalities, cameras, people))
        ],
        torch.nn.functional.normalize(rows, dim=1),
        np.asarray(labels, np.int64),
        **more,
    )


def spec(chart):
    """What Chart.js is to draw."""
    return json.loads(re.search(r"<script[^>]*>(.*)</script>", str(chart))[1])


TWO = {  # visible clusters 0 (pure) and 1 (mixed), infrared clusters 0 and 1
    "people": [1, 1, 1, 2, 3, 2, 2, 2, 1, 1, 2, 4],
    "labels": [0, 0, 0, 1, 1, -1, 0, 0, 1, 1, 0, -1],
    "modalities": [0] * 6 + [1] * 6,
}


def test_groups_follow_the_match():
    groups = cluster_groups(clustering(**TWO, assignment=np.array([1, -1])))
    pure, mixed = groups
    assert pure.visible.tolist() == [0, 1, 2] and pure.infrared.tolist() == [8, 9]
    assert (pure.people, pure.majority, pure.purity) == (1, 1, 1.0)
    assert mixed.infrared.tolist() == [] and "without partner" in mixed.title
    assert (mixed.people, mixed.majority, mixed.purity) == (2, 2, 0.5)
    picked = pick_groups(groups, each=1)
    assert [(grade, g.title) for grade, g in picked] == [
        ("best", pure.title),
        ("worst", mixed.title),
    ]


def test_groups_follow_the_unified_labels_else_each_modality():
    unified = np.array([0, 0, 0, 1, 1, -1, 1, 1, 0, 0, 1, -1])
    joint = cluster_groups(clustering(**TWO, unified=unified))
    assert [g.visible.tolist() + g.infrared.tolist() for g in joint] == [
        [0, 1, 2, 8, 9],
        [3, 4, 6, 7, 10],
    ]
    assert len(cluster_groups(clustering(**TWO))) == 4
    unknown = cluster_groups(clustering(**{**TWO, "people": None}))
    grades = [grade for grade, _ in pick_groups(unknown, each=1)]
    assert grades == ["largest", "tightest", "loosest"]
    assert unknown[0].purity is None


def test_split_people_are_those_of_several_clusters():
    found = split_people(clustering([1, 1, 1, 2, 2, 1], [0, 1, 2, 3, 3, -1]))
    assert [(p.identity, p.clusters) for p in found] == [(1, 3)]
    assert found[0].parts[-1][1] == -1
    assert split_people(clustering(None, [0, 1])) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 25))
def test_pair_kinds_equal_counting_pairs(seed, count):
    rng = np.random.default_rng(seed)
    people, cameras = rng.integers(0, 4, count), rng.integers(1, 4, count)
    labels, modalities = rng.integers(-1, 4, count), rng.integers(0, 2, count)
    if not count:
        return
    found = pair_kinds(clustering(people, labels, cameras, modalities), Modality.VISIBLE)
    kept = np.flatnonzero((labels >= 0) & (modalities == 0))
    kinds = [[], [], [], []]
    for a, b in itertools.combinations(kept, 2):
        cluster, person = labels[a] == labels[b], people[a] == people[b]
        near = cameras[a] == cameras[b]
        if cluster or person:
            kinds[0 if cluster and person else 1 if cluster else 2].append(near)
        if not person:
            kinds[3].append(near)
    for kind, wanted in zip(found, kinds):
        assert kind.pairs == len(wanted)
        share = sum(wanted) / len(wanted) if wanted else math.nan
        assert kind.same_camera == pytest.approx(share, nan_ok=True)


def test_confusion_names_camera_and_clothing(tmp_path):
    colours = {1: (200, 20, 20), 2: (200, 30, 20), 3: (20, 20, 200), 4: (20, 200, 20)}
    tracks = []
    for n, person in enumerate([1, 1, 2, 2, 3, 3, 4, 4]):
        path = tmp_path / f"{n}.png"
        Image.new("RGB", (10, 20), colours[person]).save(path)
        tracks.append(Track((path,), Modality.VISIBLE, 1 if person < 3 else person, person, str(n)))
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    stored = StoredClustering(tracks, torch.eye(8), labels)
    seen = clothing_colours(stored.tracks)
    np.testing.assert_allclose(seen[2], [200, 30, 20] * 2, atol=1)
    kinds = pair_kinds(stored, Modality.VISIBLE, seen)
    assert kinds[1].pairs == 4 and kinds[1].same_camera == 1.0
    assert kinds[1].colour == pytest.approx(10 / math.sqrt(3), abs=0.1)
    assert verdict(kinds).count("misleads the clusters") == 2
    pure = pair_kinds(clustering([1, 1, 2, 2], [0, 0, 1, 1]), Modality.VISIBLE)
    assert verdict(pure) == "no two people share a cluster."
    assert clothing_colours([Track((tmp_path / "no.png",), Modality.VISIBLE, 1, 1, "x")]) is None


def test_matching_matrix_counts_and_marks():
    stored = clustering(
        **TWO, assignment=np.array([1, 1]), cost=np.array([[2.0, 1.0], [1.0, 3.0]], np.float32)
    )
    found = matching_matrix(stored)
    assert (found.visible, found.infrared, found.matched, found.right) == (2, 2, 2, 1)
    drawn = spec(found.chart)
    marks = {one["name"]: (one["data"], one["texts"]) for one in drawn["series"]}
    # Ordered by person: infrared 1 shows person 1 and comes first.
    assert marks["right pair"][0] == [{"x": 0, "y": 0}]
    assert marks["wrong pair"][0] == [{"x": 0, "y": 1}]
    assert marks["wrong pair"][1] == ["wrong pair: visible 1, infrared 1, persons 2 and 1"]
    assert marks["right, not made"][0] == [{"x": 1, "y": 1}]  # infrared 0 shows person 2, too
    address = drawn["heat"]["picture"].partition("data:image/png;base64,")[2]
    with Image.open(io.BytesIO(base64.b64decode(address))) as heat:
        assert list(heat.size) == drawn["heat"]["size"] == [2, 2]
        assert heat.getpixel((0, 0))[3] > 0  # the lowest cost, of visible 0 and infrared 1
    unknown = clustering(**{**TWO, "people": None}, assignment=np.array([1, -1]))
    found = matching_matrix(unknown)
    assert (found.matched, found.right) == (1, None)
    (pairs,) = spec(found.chart)["series"]
    assert (pairs["name"], len(pairs["data"])) == ("pair", 1)
    assert matching_matrix(clustering(**TWO)) is None


def test_the_map_keeps_neighbours_together_and_repeats():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(3), 12)
    features = np.eye(70, dtype=np.float32)[groups] * 5 + rng.normal(0, 0.1, (36, 70))
    points = embed(features)
    assert points.shape == (36, 2) and points.min() == 0 and points.max() == 1
    distance = np.linalg.norm(points[:, None] - points, axis=2) + np.eye(36) * 9
    assert (groups[distance.argmin(1)] == groups).all()
    np.testing.assert_array_equal(points, embed(features))
    with pytest.raises(ValueError, match="at least 5"):
        embed(features[:4])
    assert embed(np.ones((6, 4))).shape == (6, 2)  # all the same


def test_the_maps_name_each_track():
    stored = clustering(**TWO)
    found = map_charts(stored)
    assert (found["shown"], found["all"]) == (12, 12)
    by_modality, by_label, by_person = (spec(chart)["series"] for chart in found["maps"])
    assert [(one["colour"], len(one["data"])) for one in by_modality] == [("c0", 6), ("c1", 6)]
    grey = [one for one in by_label if one["colour"] == "none"]
    assert [one["texts"] for one in grey] == [["5, noise, person 2"], ["11, noise, person 4"]]
    # Label 0 of the infrared tracks is not that of the visible ones.
    assert sum("label 0" in text for one in by_label for text in one["texts"]) == 3
    assert {one["shape"] for one in by_person} == {"circle", "rectRot"}
    unknown = map_charts(clustering(**{**TWO, "people": None}))
    assert len(unknown["maps"]) == 2
    assert map_charts(clustering([1, 2], [0, 1])) is None


def test_large_sets_are_sampled():
    picked = pick_tracks(5000, most=100)
    assert len(set(picked.tolist())) == 100 and picked.max() < 5000
    assert pick_tracks(50, most=100).tolist() == list(range(50))
