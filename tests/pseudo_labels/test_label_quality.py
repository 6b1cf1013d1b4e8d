"""Pseudo-label scores against counts by hand and against plain loops."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score
from vireid.pseudo_labels.label_quality import label_quality, match_quality


def plain_majority(labels, identities, cluster):
    counts = Counter(i for label, i in zip(labels, identities) if label == cluster)
    return min(counts, key=lambda identity: (-counts[identity], identity))


def plain_rand(labels, identities):
    """Adjusted Rand index by looking at every pair of samples."""
    pairs = [(i, j) for i in range(len(labels)) for j in range(i)]
    both = sum(labels[i] == labels[j] and identities[i] == identities[j] for i, j in pairs)
    ours = sum(labels[i] == labels[j] for i, j in pairs)
    theirs = sum(identities[i] == identities[j] for i, j in pairs)
    expected = ours * theirs / len(pairs)
    most = (ours + theirs) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def test_counted_by_hand():
    labels = np.array([0, 0, 0, 1, 1, -1, -1, 5])
    identities = np.array([3, 3, 4, 4, 4, 3, 9, 9])
    found = label_quality(labels, identities)
    assert found.purity == pytest.approx((2 + 2 + 1) / 6)
    assert (found.clusters, found.identities, found.noise) == (3, 3, 0.25)
    assert found.ari == pytest.approx(plain_rand(labels[labels >= 0], identities[labels >= 0]))
    assert found.ari_all == pytest.approx(plain_rand([0, 0, 0, 1, 1, 6, 7, 5], identities))
    assert found.v_measure == pytest.approx(found.nmi)


def test_a_perfect_clustering_scores_one_under_any_names():
    identities = np.repeat(np.arange(9), 4)
    found = label_quality((identities * 7 + 3) % 9, identities)
    scores = (found.ari, found.nmi, found.ami, found.v_measure, found.purity, found.ari_all)
    assert scores == pytest.approx([1.0] * 6)


def test_nothing_but_noise_has_no_scores_in_the_record():
    found = label_quality([-1] * 5, [1, 1, 2, 2, 2])
    assert math.isnan(found.ari) and math.isnan(found.purity)
    record = found.record()
    assert "ari" not in record and "purity" not in record
    assert (record["clusters"], record["identities"], record["noise"]) == (0, 2, 1.0)
    assert record["ari_all"] == adjusted_rand_score([1, 1, 2, 2, 2], range(5))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, 4), st.integers(0, 4), st.booleans()), min_size=1, max_size=40
    ),
    st.randoms(use_true_random=False),
)
def test_match_against_plain_counts(samples, random):
    sides = []
    for infrared in (False, True):
        rows = [(label, identity) for label, identity, side in samples if side == infrared]
        names = {name: i for i, name in enumerate(sorted({r[0] for r in rows if r[0] >= 0}))}
        sides.append(([names.get(label, -1) for label, _ in rows], [i for _, i in rows]))
    counts = [len(set(labels) - {-1}) for labels, _ in sides]
    assignment = [random.randrange(-1, counts[1]) for _ in range(counts[0])]
    found = match_quality(*sides[0], *sides[1], assignment)

    mine = [plain_majority(*sides[0], cluster) for cluster in range(counts[0])]
    theirs = [plain_majority(*sides[1], cluster) for cluster in range(counts[1])]
    right = sum(i >= 0 and mine[v] == theirs[i] for v, i in enumerate(assignment))
    matched = sum(i >= 0 for i in assignment)
    possible = sum(identity in theirs for identity in mine)
    assert (found.visible_clusters, found.infrared_clusters) == tuple(counts)
    assert found.matched == matched
    for value, whole in (
        (found.accuracy, counts[0]),
        (found.precision, matched),
        (found.recall, possible),
    ):
        assert math.isnan(value) if whole == 0 else value == pytest.approx(right / whole)


def test_many_to_one_counts_visible_clusters():
    # Two visible clusters of person 1 share one infrared cluster; person 2 has no partner.
    found = match_quality([0, 1, 2], [1, 1, 2], [0], [1], [0, 0, 0])
    assert (found.accuracy, found.precision, found.recall) == pytest.approx((2 / 3, 2 / 3, 1.0))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="`labels` and `identities` must be of one length"):
        label_quality([0, 1], [0])
    with pytest.raises(ValueError, match="`identities` must be a vector of integers"):
        label_quality([0, 1], [0.5, 1])
    with pytest.raises(ValueError, match="`visible_labels` must use every label"):
        match_quality([0, 2], [1, 1], [0], [1], [0, 0])
    with pytest.raises(ValueError, match="one entry for each of the 2 visible clusters; got 1"):
        match_quality([0, 1], [1, 1], [0], [1], [0])
    with pytest.raises(ValueError, match="must lie in -1 … 0"):
        match_quality([0, 1], [1, 1], [0], [1], [0, 1])
