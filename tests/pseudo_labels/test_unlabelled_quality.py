"""Scores that need no identity, against plain versions and by their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.pseudo_labels.majority import majorities, majority_share
from vireid.pseudo_labels.unlabelled_quality import (
    matching_margins,
    shared_clusters,
    silhouettes,
    stability,
)


def plain_silhouettes(features, labels):
    def away(row, mean):
        return 1 - row @ mean / max(np.linalg.norm(mean), 1e-12)

    result = []
    clusters = sorted({int(label) for label in labels if label >= 0})
    for place, label in enumerate(labels):
        if label < 0 or len(clusters) < 2:
            result.append(math.nan)
            continue
        own = [i for i in range(len(labels)) if labels[i] == label and i != place]
        other = min(
            away(features[place], features[labels == c].sum(0)) for c in clusters if c != label
        )
        if not own:
            result.append(0.0)
            continue
        inside = away(features[place], features[own].sum(0))
        result.append((other - inside) / max(inside, other, 1e-12))
    return np.array(result)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 5))
def test_silhouettes_equal_the_plain_form(seed, count, clusters):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    labels = rng.integers(-1, clusters, count)
    found = silhouettes(features.astype(np.float32), labels)
    np.testing.assert_allclose(found, plain_silhouettes(features, labels), atol=2e-5)


def test_silhouettes_tell_apart_from_muddled():
    apart = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    labels = np.repeat(np.arange(3), 4)
    assert silhouettes(apart, labels).min() == pytest.approx(1.0, abs=1e-5)
    assert silhouettes(apart, np.roll(labels, 2)).min() < 0
    with pytest.raises(ValueError, match="features"):
        silhouettes(apart, labels[:3])


def test_stability_ignores_names_and_noise():
    before = np.array([0, 0, 1, 1, 2, 2, -1, 5])
    after = np.array([7, 7, 3, 3, 0, 0, 1, -1])
    assert stability(before, after) == pytest.approx(1.0)
    assert stability(before, np.array([0, 1, 0, 1, 0, 1, 0, 1])) < 0.1
    assert math.isnan(stability([-1, 0], [0, -1]))
    with pytest.raises(ValueError, match="same samples"):
        stability([0, 1], [0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40))
def test_majority_share_equals_counting(seed, count):
    rng = np.random.default_rng(seed)
    labels, values = rng.integers(-1, 5, count), rng.integers(-3, 4, count)
    most = sum(
        max((values[labels == label] == value).sum() for value in range(-3, 4))
        for label in range(5)
    )
    kept = (labels >= 0).sum()
    found = majority_share(labels, values)
    assert (math.isnan(found) and kept == 0) or found == pytest.approx(most / kept)


def test_of_equally_frequent_values_the_smallest_is_the_majority():
    found = majorities([2, 2, 2, 2, 0, -1], [9, 5, 9, 5, 7, 7])
    assert [column.tolist() for column in found] == [[0, 2], [7, 5], [1, 2], [1, 4]]


def test_shared_clusters_and_margins():
    assert shared_clusters([0, 0, 1, 1, -1, 2], [0, 1, 0, 0, 1, 1]) == pytest.approx(1 / 3)
    assert math.isnan(shared_clusters([-1], [0]))
    cost = np.array([[1.0, 4.0, 2.0], [3.0, 3.0, 9.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(matching_margins(cost), [0.5, 0.0, 0.0])
    assert len(matching_margins(np.ones((3, 1)))) == 0
