"""Consensus of two clusterings and the smoothing by it, against loops over clusters."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from vireid.clustering.label_propagation import consensus, heaviest, memberships, propagate
from vireid.clustering.reliability import without_gaps

LABELS = st.lists(st.integers(-1, 5), min_size=1, max_size=30)


def labels_of(values, count):
    return without_gaps(np.array([values[i % len(values)] for i in range(count)], np.int64))


def plain_consensus(before, now):
    found = np.zeros((before.max(initial=-1) + 1, now.max(initial=-1) + 1))
    for j in range(len(found)):
        for k in range(found.shape[1]):
            one, other = set(np.flatnonzero(before == j)), set(np.flatnonzero(now == k))
            found[j, k] = len(one & other) / len(one | other)
        if found[j].sum():
            found[j] /= found[j].sum()
    return found


def plain_history(every, weight):
    """Soft labels after each clustering, dense, without the cut of small shares."""
    shares = np.eye(every[0].max(initial=-1) + 2)[every[0]][:, :-1]
    for before, now in itertools.pairwise(every):
        present = np.eye(now.max(initial=-1) + 2)[now][:, :-1]
        shares = (1 - weight) * present + weight * shares @ plain_consensus(before, now)
    return shares


@settings(max_examples=100, deadline=None)
@given(st.lists(LABELS, min_size=2, max_size=4), st.floats(0, 0.95), st.integers(2, 30))
def test_shares_are_those_of_the_plain_version(lists, weight, count):
    every = [labels_of(values, count) for values in lists]
    np.testing.assert_allclose(
        consensus(*every[:2]).toarray(), plain_consensus(*every[:2]), atol=1e-12
    )
    shares = memberships(every[0])
    for before, now in itertools.pairwise(every):
        shares = propagate(shares, before, now, weight)
    wanted = plain_history(every, weight)
    # A share below a thousandth is dropped, at each of three clusterings.
    np.testing.assert_allclose(shares.toarray(), wanted, atol=5e-3)
    if wanted.shape[1]:
        with_noise = np.concatenate([shares.toarray(), 1 - shares.sum(1)[:, None]], 1)
        found = heaviest(shares, every[-1])
        chosen = with_noise[np.arange(count), found]  # noise indexes the last column
        np.testing.assert_allclose(chosen, with_noise.max(1), atol=1e-8)


@settings(max_examples=50, deadline=None)
@given(LABELS, LABELS, st.floats(0, 0.95), st.integers(0, 1000))
def test_the_order_of_samples_and_old_names_do_not_matter(one, other, weight, seed):
    count = len(one)
    before, now = labels_of(one, count), labels_of(other, count)
    draw = np.random.default_rng(seed)
    order, names = draw.permutation(count), draw.permutation(before.max(initial=-1) + 1)
    renamed = np.append(names, -1)[before]
    shares = propagate(memberships(before), before, now, weight)
    moved = propagate(memberships(renamed[order]), renamed[order], now[order], weight)
    np.testing.assert_allclose(moved.toarray(), shares.toarray()[order], atol=1e-12)
    np.testing.assert_array_equal(heaviest(moved, now[order]), heaviest(shares, now)[order])


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.9])
def test_a_clustering_that_stays_keeps_its_labels(weight):
    before = np.array([0, 0, 1, 1, 2, 2, -1])
    now = np.array([2, 2, 0, 0, 1, 1, -1])  # the same with other names
    shares = propagate(memberships(before), before, now, weight)
    np.testing.assert_array_equal(heaviest(shares, now), now)


def test_a_sample_that_jumps_stays_until_it_jumps_again():
    calm = np.repeat([0, 1], 6)
    jumped = calm.copy()
    jumped[0] = 1
    shares = propagate(memberships(calm), calm, jumped, 0.6)
    np.testing.assert_array_equal(heaviest(shares, jumped), calm)
    shares = propagate(shares, jumped, jumped, 0.6)
    np.testing.assert_array_equal(heaviest(shares, jumped), jumped)


def test_one_that_turns_to_noise_stays_for_one_epoch():
    calm = np.repeat([0, 1], 6)
    lost = calm.copy()
    lost[0] = -1
    shares = propagate(memberships(calm), calm, lost, 0.7)
    np.testing.assert_array_equal(heaviest(shares, lost), calm)
    shares = propagate(shares, lost, lost, 0.7)
    np.testing.assert_array_equal(heaviest(shares, lost), lost)


def test_of_equal_shares_that_of_the_present_label_wins():
    both = sparse.csr_array(np.array([[0.5, 0.5], [0.5, 0.5], [0.0, 0.5], [0.0, 0.5]]))
    now = np.array([0, 1, -1, 1])
    np.testing.assert_array_equal(heaviest(both, now), now)


def test_what_does_not_fit_is_refused():
    labels = np.array([0, 0, 1])
    with pytest.raises(ValueError, match="weight: expected 0 to 1"):
        propagate(memberships(labels), labels, labels, 1.5)
    with pytest.raises(ValueError, match="same samples"):
        consensus(labels, labels[:2])
    with pytest.raises(ValueError, match=r"shares: expected \(3, 2\)"):
        propagate(memberships(labels[:2]), labels, labels, 0.5)
