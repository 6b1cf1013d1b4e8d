"""Thresholds of a direction, and their intervals."""

import json

import numpy as np
import pytest
import torch
from calibration_cases import plain_identification, plain_pairs
from torch.nn import functional as F
from vireid.datasets.track import Modality, Track
from vireid.evaluation.calibration import Aims, calibrate, interval, resampled_people
from vireid.evaluation.comparisons import Comparisons, Sightings
from vireid.evaluation.directions import calibrate_people

AIMS = Aims(fmr=(0.02, 0.2), fpir=(0.1, 0.3), sizes=(1, 3, 99), rank=2)


def sightings(seed, people=7, tracks=3, cameras=2, noise=0.6):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(people, 5))
    rows = np.repeat(centres, tracks, axis=0) + noise * rng.normal(size=(people * tracks, 5))
    features = F.normalize(torch.from_numpy(rows.astype(np.float32)), dim=1)
    names = np.repeat(np.arange(people) * 11, tracks)
    return Sightings(features, names, np.arange(len(names)) % cameras + 1)


def test_every_rate_is_that_of_counting():
    sides = Comparisons(sightings(0), sightings(1), "standard")
    found = calibrate(sides, AIMS, resamplings=50)
    pairs = plain_pairs(sides, "standard")
    wrong = np.array([score for *_, own, score in pairs if not own], np.float32)
    right = np.array([score for *_, own, score in pairs if own], np.float32)
    assert (found.counts.mated, found.counts.nonmated) == (len(right), len(wrong))
    assert found.counts.mated_people == 7
    # Of 99 people there are too few; each threshold belongs to a rate and a size.
    assert [(p.gallery_size, p.aim, p.aimed) for p in found.points] == [
        (size, aim, rate)
        for size in (1, 3)
        for aim, rates in (("fmr", AIMS.fmr), ("fpir", AIMS.fpir))
        for rate in rates
    ]
    for point in found.points:
        # It lies right above a score, which other sums may round to the other side.
        size, threshold = point.gallery_size, point.threshold + 1e-6
        assert point.fmr == np.mean(wrong >= threshold)
        assert point.fnmr == np.mean(right < threshold)
        fpir, fnir = plain_identification(sides, "standard", size, AIMS.rank, threshold)
        assert (point.fpir, point.fnir) == (pytest.approx(fpir), pytest.approx(fnir))
        assert getattr(point, point.aim) <= point.aimed
        for name, (low, high) in point.intervals.items():
            assert 0 <= low <= getattr(point, name) <= high <= 1
    curve = found.curve
    assert len(curve["threshold"]) == len(curve["fmr"]) == len(curve["fnir"]["3"])
    assert (np.diff(curve["fmr"]) <= 0).all() and (np.diff(curve["fnmr"]) >= 0).all()
    for threshold, rate in zip(curve["threshold"], curve["fmr"]):
        assert rate == pytest.approx(np.mean(wrong >= threshold), abs=1.1 / len(wrong))
    json.dumps(found.record(), allow_nan=False)


def test_rates_that_the_data_cannot_show_are_named():
    sides = Comparisons(sightings(0), sightings(1), "standard")
    found = calibrate(sides, Aims(fmr=(1e-6,), fpir=(1e-4,), sizes=(3,)), resamplings=20)
    assert found.points == []
    assert found.unreachable == ["FMR 1e-06: 378 non-mated pairs", "FPIR 0.0001: 21 probes"]


def test_an_interval_is_centred_on_the_rate_and_never_empty():
    values = np.linspace(0.1, 0.3, 1001)
    assert interval(values, 0.5, 100) == pytest.approx((0.405, 0.595), abs=1e-6)
    assert interval(np.zeros(9), 0.0, 60) == (0.0, 0.05)  # the rule of three
    assert interval(np.ones(9), 1.0, 60) == (0.95, 1.0)
    assert interval(np.full(9, np.nan), 0.2, 60) == (0.2, 0.2)
    low, high = interval(np.array([0.0, 0.5]), 0.02, 60)
    assert low == 0.0 and 0.02 < high < 1


def test_resamplings_repeat_people():
    drawn = resampled_people(20, 30, 5)
    assert (drawn.sum(axis=1) == 20).all()
    assert drawn.max() >= 3
    assert (drawn == resampled_people(20, 30, 5)).all()
    assert (drawn != resampled_people(20, 30, 6)).any()


def tracks_of(people, *, cameras):
    """A track of each person, modality and camera, and features in which people differ."""
    tracks, rows = [], []
    rng = np.random.default_rng(0)
    for person in range(people):
        centre = rng.normal(size=6)
        for modality in Modality:
            for camera in cameras[modality]:
                if camera == 9 and person > 4:
                    continue  # a camera that few were seen by
                key = f"{person}-{modality}-{camera}"
                tracks.append(Track((), modality, camera, person, key))
                rows.append(centre + 0.7 * rng.normal(size=6))
    return tracks, F.normalize(torch.tensor(np.array(rows), dtype=torch.float32), dim=1)


def test_directions_and_pairs_of_cameras_with_enough_people():
    tracks, features = tracks_of(14, cameras=[(1, 2), (3, 9)])
    aims = Aims(fmr=(0.1,), fpir=(0.2,), sizes=(4,))
    called = {number: f"cam{number}" for number in (1, 2, 3, 9)}
    records, notes = calibrate_people(
        tracks, features, "standard", aims, called, camera_people=12, resamplings=20
    )
    names = [
        (r["query"][0] + r["gallery"][0], r["query_camera"], r["gallery_camera"]) for r in records
    ]
    assert names == [
        ("vi", None, None),
        ("vi", "cam1", "cam3"),
        ("vi", "cam2", "cam3"),
        ("iv", None, None),
        ("iv", "cam3", "cam1"),
        ("iv", "cam3", "cam2"),
        ("vv", None, None),
        ("vv", "cam1", "cam2"),
        ("vv", "cam2", "cam1"),
    ]
    assert ["curve" in record for record in records] == [name[1] is None for name in names]
    assert notes == [
        "visible query, infrared gallery: 2 pairs of cameras are left out, because fewer than 12 "
        "people were seen by both",
        "infrared query, visible gallery: 2 pairs of cameras are left out, because fewer than 12 "
        "people were seen by both",
        "infrared query, infrared gallery: 5 people can be found again, at least 10 are needed",
    ]
    # A pair of cameras is measured on its own tracks.
    query = [i for i, t in enumerate(tracks) if (t.modality, t.camera) == (0, 2)]
    gallery = [i for i, t in enumerate(tracks) if (t.modality, t.camera) == (1, 3)]
    scores = (features[query] @ features[gallery].T).numpy()
    point = records[2]["thresholds"][0]
    apart = scores[~np.eye(14, dtype=bool)]
    assert point["fmr"] == pytest.approx(np.mean(apart >= point["threshold"]), abs=1 / len(apart))
    assert point["fmr"] <= 0.1
