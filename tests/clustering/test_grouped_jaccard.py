"""Camera-aware and modality-balanced distances, against sets and dense rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaccard_rows import dense, mirror_means, unit_rows
from vireid.clustering.grouped_jaccard import camera_aware_jaccard, modality_balanced_jaccard
from vireid.clustering.jaccard import jaccard_distance


def lists_of(features, groups, own, other):
    """[own nearest of the row's group, itself first] + [other nearest of the other groups]."""
    exact = features.astype(np.float64)
    distance = ((exact[:, None] - exact[None]) ** 2).sum(2)
    found = []
    for i, group in enumerate(groups):
        order = [j for j in distance[i].argsort(kind="stable").tolist() if j != i]
        same = [i] + [j for j in order if groups[j] == group]
        found.append(same[:own] + [j for j in order if groups[j] != group][:other])
    return found


def reciprocal(lists):
    return [{j for j in near if i in lists[j]} for i, near in enumerate(lists)]


def plain_distance(features, sets, averaged):
    """Weights of the sets, their means over the lists, and overlaps, all dense."""
    product = features.astype(np.float64) @ features.astype(np.float64).T
    weights = np.zeros(product.shape)
    for i, members in enumerate(sets):
        listed = sorted(members)
        mass = np.exp(-(2 - 2 * product[i, listed]))
        weights[i, listed] = mass / mass.sum()
    if averaged is not None:
        weights = np.array([weights[near].mean(0) for near in averaged])
    shared = np.minimum(weights[:, None], weights[None]).sum(2)
    return 1 - shared / (2 - shared)


def plain_camera_aware(features, cameras, k1, k2):
    """The union of two reciprocal sets, each from the lists of its kind."""
    own = reciprocal(lists_of(features, cameras, k1[0], 0))
    every = lists_of(features, cameras, 1, k1[1])
    other = reciprocal([near[1:] for near in every])
    averaged = None if k2 == (1, 0) else lists_of(features, cameras, *k2)
    return plain_distance(features, [a | b for a, b in zip(own, other)], averaged)


def plain_balanced(features, modality, k1, k2):
    def lists(k):
        return lists_of(features, modality, -(-k // 2), k // 2)

    near, half = reciprocal(lists(k1)), reciprocal(lists(min(k1, int(np.around(k1 / 2)) + 1)))
    sets = []
    for members in near:
        joined = set(members)
        for j in members:
            if 3 * len(half[j] & members) > 2 * len(half[j]):
                joined |= half[j]
        sets.append(joined)
    return plain_distance(features, sets, lists(min(k1, k2)) if min(k1, k2) > 1 else None)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    kinds=st.integers(1, 4),
    k1=st.tuples(st.integers(1, 9), st.integers(0, 15)),
    k2=st.tuples(st.integers(1, 4), st.integers(0, 5)),
    means=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_camera_aware_distances_equal_the_plain_version(count, kinds, k1, k2, means, seed):
    features = (mirror_means if means else unit_rows)(count, 9, seed)
    cameras = np.random.default_rng(seed).integers(0, kinds, count)
    wanted = plain_camera_aware(features, cameras, k1, k2)
    found = dense(camera_aware_jaccard(features, cameras, k1=k1, k2=k2))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-6)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    k1=st.integers(1, 40),
    k2=st.integers(1, 12),
    means=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_balanced_distances_equal_the_plain_version(count, k1, k2, means, seed):
    features = (mirror_means if means else unit_rows)(count, 9, seed)
    modality = np.random.default_rng(seed).choice([3, 7], count)
    wanted = plain_balanced(features, modality, k1, k2)
    found = dense(modality_balanced_jaccard(features, modality, k1, k2))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-6)


@pytest.mark.parametrize("balanced", [False, True], ids=["camera-aware", "modality-balanced"])
def test_order_of_the_rows_and_names_of_the_groups_do_not_matter(balanced):
    features = unit_rows(80, 12, 3)
    draw = np.random.default_rng(4)
    groups = draw.integers(0, 2 if balanced else 3, 80)
    order = draw.permutation(80)
    distance = modality_balanced_jaccard if balanced else camera_aware_jaccard
    one = dense(distance(features, groups))
    other = dense(distance(features[order], 9 - 2 * groups[order]))
    np.testing.assert_allclose(other, one[np.ix_(order, order)], rtol=0, atol=3e-6)


def test_people_across_cameras_come_nearer_than_strangers_of_one_camera():
    draw = np.random.default_rng(0)
    person, camera = np.repeat(np.arange(12), 12), np.tile(np.arange(3), 48)
    rows = draw.standard_normal((12, 32))[person] + 1.6 * draw.standard_normal((3, 32))[camera]
    rows += 0.2 * draw.standard_normal((144, 32))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    across = (person[:, None] == person) & (camera[:, None] != camera)
    strangers = (person[:, None] != person) & (camera[:, None] == camera)

    def margin(distance):
        full = dense(distance)
        return full[strangers].mean() - full[across].mean()

    aware = margin(camera_aware_jaccard(rows, camera, k1=(4, 8), k2=(2, 4)))
    assert aware > margin(jaccard_distance(rows, 12, 6)) + 0.1


def test_what_no_list_can_be_is_refused():
    features = unit_rows(6, 5, 0)
    with pytest.raises(ValueError, match="k1: expected at least 1"):
        camera_aware_jaccard(features, [0] * 6, k1=(0, 3))
    with pytest.raises(ValueError, match="k2: expected at least 1"):
        camera_aware_jaccard(features, [0] * 6, k2=(1, -1))
    with pytest.raises(ValueError, match="k1 and k2 of at least 1"):
        modality_balanced_jaccard(features, [0] * 6, k2=0)
    with pytest.raises(ValueError, match="groups: expected one code"):
        modality_balanced_jaccard(features, [0] * 5)
