"""Independence and compactness of clusters, against sets of members."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.clustering.reliability import overlap, reliable_labels, without_gaps

LABELS = st.lists(st.integers(-1, 4), min_size=1, max_size=25)


def members(labels, i):
    """The cluster of sample i; an outlier is alone."""
    return {i} if labels[i] == -1 else set(np.flatnonzero(labels == labels[i]).tolist())


def plain_overlap(labels, others):
    found = []
    for i in range(len(labels)):
        one, other = members(labels, i), members(others, i)
        found.append(len(one & other) / len(one | other))
    return np.array(found)


def plain_reliable(labels, tight, loose, threshold, share):
    """By the released rule: sorted distances 1 − IoU, least of a cluster, greatest allowed."""
    near, far = 1 - plain_overlap(labels, tight), 1 - plain_overlap(labels, loose)
    clusters = sorted(set(labels.tolist()) - {-1})
    independence = {c: far[labels == c].min() for c in clusters}
    compactness = {c: near[labels == c].min() for c in clusters}
    if threshold is None:
        rising = sorted(independence[c] for c in clusters if (labels == c).sum() > 1)
        if not rising:
            return labels, None
        threshold = 1 - rising[min(len(rising) - 1, int(np.round(len(rising) * share)))]
    kept = np.array(
        [
            c
            if c != -1 and independence[c] <= 1 - threshold + 1e-12 and near[i] <= compactness[c]
            else -1
            for i, c in enumerate(labels.tolist())
        ]
    )
    alone = [c for c in clusters if (kept == c).sum() < 2]
    return np.where(np.isin(kept, alone), -1, kept), threshold


def dense(labels):
    return without_gaps(np.asarray(labels, np.int64))


def three(lists):
    return (dense([one[i % len(one)] for i in range(len(lists[0]))]) for one in lists)


@settings(max_examples=150, deadline=None)
@given(st.tuples(LABELS, LABELS, LABELS), st.floats(0, 1), st.none() | st.floats(0, 1))
def test_it_keeps_what_the_plain_version_keeps(lists, share, threshold):
    labels, tight, loose = three(lists)
    np.testing.assert_allclose(overlap(labels, loose), plain_overlap(labels, loose))
    wanted, least = plain_reliable(labels, tight, loose, threshold, share)
    found, asked = reliable_labels(labels, tight, loose, threshold=threshold, share=share)
    assert (asked is None) == (least is None)
    if least is not None:
        assert asked == pytest.approx(least)
        np.testing.assert_array_equal(found, without_gaps(wanted))


@settings(max_examples=50, deadline=None)
@given(st.tuples(LABELS, LABELS, LABELS), st.integers(0, 1000))
def test_the_order_of_samples_and_the_names_of_clusters_do_not_matter(lists, seed):
    labels, tight, loose = three(lists)
    order = np.random.default_rng(seed).permutation(len(labels))
    names = np.random.default_rng(seed).permutation(int(loose.max(initial=-1)) + 1)
    renamed = np.append(names, -1)[loose]
    found, least = reliable_labels(labels, tight, loose)
    again, same = reliable_labels(labels[order], tight[order], renamed[order])
    assert least == same
    np.testing.assert_array_equal(again, found[order])


def test_a_cluster_that_grows_goes_and_so_do_members_that_fall_off():
    labels = dense([0] * 4 + [1] * 4 + [2] * 4 + [-1] * 2)
    loose = dense([0] * 8 + [2] * 4 + [-1] * 2)  # the first two merge
    tight = dense([0] * 4 + [1] * 4 + [2] * 3 + [-1] * 3)  # the third loses a member
    found, least = reliable_labels(labels, tight, loose, threshold=0.6)
    assert least == 0.6
    assert found.tolist() == [-1] * 8 + [0] * 3 + [-1] * 3


def test_the_threshold_is_what_the_asked_share_reaches():
    # Cluster c of four takes in c outliers: 4 / (4 + c) of the larger one is its own.
    labels = np.concatenate([np.repeat(np.arange(5), 4), np.full(10, -1)])
    loose = np.concatenate([np.repeat(np.arange(5), 4), np.repeat(np.arange(5), np.arange(5))])
    found, least = reliable_labels(labels, labels, loose, share=0.75)  # 3.75 of 5
    assert least == 4 / 8
    np.testing.assert_array_equal(found, labels)
    found, least = reliable_labels(labels, labels, loose, share=0.45)
    assert least == 4 / 6
    np.testing.assert_array_equal(found, np.where(labels > 2, -1, labels))


def test_radii_that_agree_change_nothing():
    labels = dense([0, 0, 1, 1, -1, 2, 2, 2])
    found, least = reliable_labels(labels, labels, labels)
    assert least == 1
    np.testing.assert_array_equal(found, labels)


def test_labels_of_other_lengths_and_impossible_shares_are_refused():
    labels = dense([0, 0])
    with pytest.raises(ValueError, match="three times"):
        reliable_labels(labels, labels[:1], labels)
    with pytest.raises(ValueError, match="share: expected 0 to 1"):
        reliable_labels(labels, labels, labels, share=1.5)
