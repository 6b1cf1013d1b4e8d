"""Calibration where nobody knows who is who."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from vireid.datasets.track import Modality
from vireid.evaluation.calibration import Aims
from vireid.evaluation.directions import approximate_records
from vireid.evaluation.tracklet_pairs import (
    calibrate_tracklets,
    if_independent,
    overlapping_pairs,
    pair_scores,
    pairs_too_fast,
)


def seen(seed, count, cameras, seconds):
    """Cameras, starts and ends of random tracklets; some begin together, some last no time."""
    rng = np.random.default_rng(seed)
    camera = rng.integers(1, cameras + 1, count)
    starts = rng.integers(0, seconds, count)
    return camera, starts, starts + rng.integers(0, 6, count)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 25))
def test_pairs_are_those_that_one_camera_saw_at_once(seed, count):
    cameras, starts, ends = seen(seed, count, cameras=3, seconds=12)
    wanted = {
        (i, j)
        for i, j in itertools.combinations(range(count), 2)
        if cameras[i] == cameras[j] and starts[i] < ends[j] and starts[j] < ends[i]
    }
    found = [tuple(sorted(pair)) for pair in overlapping_pairs(cameras, starts, ends).tolist()]
    # A moment without length overlaps what began before it and lasts; it is a sighting, too.
    point = {(i, j) for i, j in found if starts[i] == ends[i] or starts[j] == ends[j]}
    assert len(found) == len(set(found))
    assert set(found) - point == wanted - point
    for i, j in point:
        assert cameras[i] == cameras[j]
        assert max(starts[i], starts[j]) <= min(ends[i], ends[j])


LEAST = {(1, 2): 3.0, (2, 1): 3.0, (1, 3): 5.0, (3, 1): 0.0, (2, 3): 2.0, (7, 1): 4.0}


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 25))
def test_pairs_are_those_for_whose_way_the_time_is_too_short(seed, count):
    cameras, starts, ends = seen(seed, count, cameras=4, seconds=15)
    wanted = set()
    for i, j in itertools.permutations(range(count), 2):
        there, back = (LEAST.get((cameras[a], cameras[b]), 0) for a, b in ((i, j), (j, i)))
        after = starts[j] >= ends[i] and starts[j] - ends[i] < there
        at_once = starts[i] <= starts[j] < ends[i] and there > 0 and back > 0
        # Of a moment that falls together with another, either may be the first.
        if cameras[i] != cameras[j] and starts[j] >= starts[i] and (after or at_once):
            wanted.add((min(i, j), max(i, j)))
    pairs = pairs_too_fast(cameras, starts, ends, LEAST)
    found = [tuple(sorted(pair)) for pair in pairs.tolist()]
    assert len(found) == len(set(found))
    together = {(i, j) for i, j in wanted ^ set(found) if starts[i] == starts[j]}
    assert set(found) - together == wanted - together
    assert (starts[pairs[:, 0]] <= starts[pairs[:, 1]]).all()


def test_scores_of_pairs_come_in_blocks(monkeypatch):
    monkeypatch.setattr("vireid.evaluation.tracklet_pairs.PAIRS", 3)
    first, second = torch.randn(5, 4), torch.randn(6, 4)
    pairs = np.array(list(itertools.product(range(5), range(6))))
    expected = (first @ second.T).flatten()
    np.testing.assert_allclose(pair_scores(first, second, pairs), expected, atol=1e-6)


def test_a_rare_false_match_is_common_in_a_large_gallery():
    assert if_independent(0.001, 1000) == pytest.approx(0.632, abs=5e-4)
    assert if_independent(0.001, 1) == pytest.approx(0.001)
    assert (if_independent(0.0, 10), if_independent(1.0, 10)) == (0.0, 1.0)


def calibrated(rates=(0.01, 0.1), seed=0, pairs=400, within=True):
    generator = torch.Generator().manual_seed(seed)
    whole, one, two = (F.normalize(torch.randn(60, 4, generator=generator), dim=1) for _ in "abc")
    chosen = np.random.default_rng(seed).permutation(list(itertools.combinations(range(60), 2)))
    found = calibrate_tracklets(
        whole,
        (one, two) if within else None,
        chosen[:pairs],
        Aims(fmr=rates, sizes=(10, 50)),
        resamplings=50,
    )
    return found, (whole @ whole.T).numpy()[tuple(chosen[:pairs].T)], (one * two).sum(1).numpy()


def test_rates_are_those_of_the_pairs_at_hand():
    found, different, same = calibrated()
    assert (found.tracklets, found.mated, found.nonmated) == (60, 60, 400)
    assert [(p.aimed, p.gallery_size) for p in found.points] == [
        (0.01, 10),
        (0.01, 50),
        (0.1, 10),
        (0.1, 50),
    ]
    for point in found.points:
        assert point.fmr == pytest.approx(np.mean(different >= point.threshold - 1e-6), abs=3e-3)
        assert point.fmr == pytest.approx(point.aimed)
        assert point.fnmr == pytest.approx(np.mean(same < point.threshold), abs=1e-9)
        assert point.fpir == if_independent(point.fmr, point.gallery_size)
        assert point.fnir is None
        for name in ("fmr", "fnmr", "fpir"):
            low, high = point.intervals[name]
            assert low <= getattr(point, name) <= high
            assert low < high


def test_too_few_pairs_show_no_small_rate():
    found, *_ = calibrated(rates=(0.001, 0.1))
    assert {point.aimed for point in found.points} == {0.1}
    assert found.unreachable == ["FMR 0.001: 400 pairs of different people"]


def test_the_curve_follows_the_largest_scores():
    found, different, _ = calibrated()
    thresholds, rates = found.curve["threshold"], found.curve["fmr"]
    assert thresholds == sorted(thresholds) and len(thresholds) > 20
    assert thresholds[-1] == pytest.approx(different.max())
    assert thresholds[0] == pytest.approx(np.sort(different)[-42])  # a tenth, and two
    for threshold, rate in zip(thresholds, rates):
        assert rate == pytest.approx(np.mean(different >= threshold - 1e-6), abs=1e-9)


def test_pairs_across_modalities_that_time_tells_apart_count_themselves():
    visible, infrared = calibrated(seed=1)[0], calibrated(seed=2)[0]
    across = calibrated(seed=3, within=False)[0]
    assert across.mated == 0 and {point.fnmr for point in across.points} == {None}
    assert all(set(point.intervals) == {"fmr", "fpir"} for point in across.points)
    records = approximate_records({Modality.VISIBLE: visible, Modality.INFRARED: infrared}, across)
    for record, one in zip(records, (across, across, visible, infrared)):
        assert not record["borrowed"]
        assert record["counts"]["nonmated"] == one.nonmated
        assert record["curve"] == one.curve
        assert [point["threshold"] for point in record["thresholds"]] == [
            point.threshold for point in one.points
        ]
    alone = approximate_records({}, across)
    assert [(r["query"], r["gallery"]) for r in alone] == [
        ("visible", "infrared"),
        ("infrared", "visible"),
    ]


def test_pairs_across_modalities_borrow_the_higher_threshold():
    visible, infrared = calibrated(seed=1)[0], calibrated(rates=(0.001, 0.01, 0.1), seed=2)[0]
    records = approximate_records({Modality.VISIBLE: visible, Modality.INFRARED: infrared})
    assert [(r["query"], r["gallery"]) for r in records] == [
        ("visible", "infrared"),
        ("infrared", "visible"),
        ("visible", "visible"),
        ("infrared", "infrared"),
    ]
    for record in records:
        assert record["borrowed"] == (record["query"] != record["gallery"])
    for place, point in enumerate(records[0]["thresholds"]):
        sides = [records[2]["thresholds"][place], records[3]["thresholds"][place]]
        assert point["threshold"] == max(side["threshold"] for side in sides)
        assert point["fnmr"] is None
        assert "fnmr" not in point["intervals"]
    alone = approximate_records({Modality.INFRARED: infrared})
    assert [(r["query"], r["gallery"]) for r in alone] == [("infrared", "infrared")]
