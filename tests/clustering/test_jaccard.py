"""The sparse distance equals the published values and a plain dense version."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaccard_rows import dense, mirror_means, unit_rows
from sklearn.cluster import DBSCAN
from vireid.clustering import jaccard_graph
from vireid.clustering.dbscan import dbscan
from vireid.clustering.jaccard import jaccard_distance, jaccard_of_neighbours
from vireid.clustering.neighbours import nearest_neighbours

CASES = [(30, 6, 45), (13, 4, 14), (20, 1, 43), (40, 32, 53)]  # k1, k2, seed
VECTORS = sorted((Path(__file__).parents[1] / "conformance").glob("jaccard_*.npz"))


def same_partition(a, b):
    """Equal up to the names of the clusters, noise (-1) being itself."""
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    one_to_one = len({x for x, _ in pairs}) == len(pairs) == len({y for _, y in pairs})
    return one_to_one and all((x == -1) == (y == -1) for x, y in pairs)


def plain_jaccard(features, k1, k2, modality=None, ranks=None):
    """The formula with sets and dense rows, on the neighbour lists of the fast version.

    The lists are tested by themselves; taken from there, ties cannot blur the comparison. Weights
    come from the inner products of the rows as they are.
    """
    count = len(features)
    if ranks is None:
        ranks = nearest_neighbours(features, k1)[1].tolist()
    similarity = features.astype(np.float64) @ features.astype(np.float64).T

    def reciprocal(i, length):
        return {j for j in ranks[i][:length] if i in ranks[j][:length]}

    half = int(np.around(k1 / 2)) + 1
    weights = np.zeros((count, count))
    for i in range(count):
        near = reciprocal(i, k1)
        joined = set(near)
        for j in near:
            candidate = reciprocal(j, half)
            if 3 * len(candidate & near) > 2 * len(candidate):
                joined |= candidate
        members = sorted(joined)
        weight = np.exp(-(2 - 2 * similarity[i, members]))
        weights[i, members] = weight / weight.sum()
    if k2 > 1:
        groups = np.zeros(count) if modality is None else np.asarray(modality)
        expanded = []
        for i in range(count):
            first = np.array(ranks[i][:k2])
            present = np.unique(groups[first])
            means = [weights[first[groups[first] == g]].mean(0) for g in present]
            expanded.append(np.mean(means, 0))
        weights = np.array(expanded)
    shared = np.minimum(weights[:, None], weights[None]).sum(2)
    return 1 - shared / (2 - shared)


def euclidean_lists(features, k1, k2):
    """Full sort of Euclidean distances in float64; no list ends within rounding of the next row."""
    rows = features.astype(np.float64)
    distance = ((rows[:, None] - rows[None]) ** 2).sum(2)
    order = distance.argsort(1)
    ordered = np.take_along_axis(distance, order, 1)
    for end in (k1, int(np.around(k1 / 2)) + 1, k2):
        assert (ordered[:, end] - ordered[:, end - 1]).min() > 5e-5
    return order[:, :k1].tolist()


@pytest.mark.parametrize("balanced", [False, True], ids=["plain", "modality-invariant"])
@pytest.mark.parametrize(("k1", "k2", "seed"), CASES)
def test_distances_of_means_are_the_published_ones(k1, k2, seed, balanced):
    features = mirror_means(160, 24, seed)
    length = np.linalg.norm(features, axis=1)
    assert 0.79 < length.min() < 0.85 and 0.99 < length.max() <= 1 + 1e-6
    modality = np.random.default_rng(seed).integers(0, 2, 160) if balanced else None
    wanted = plain_jaccard(features, k1, k2, modality, euclidean_lists(features, k1, k2))
    found = dense(jaccard_distance(features, k1, k2, modality=modality))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-6)
    scaled = features / length[:, None]
    assert np.abs(dense(jaccard_distance(scaled, k1, k2, modality=modality)) - found).max() > 0.05


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_distances_and_partitions(path):
    case = np.load(path)
    modality = case["modality"] if case["modal_invariant"] else None
    graph = jaccard_distance(case["features"], int(case["k1"]), int(case["k2"]), modality=modality)
    np.testing.assert_allclose(dense(graph), case["distance"], rtol=0, atol=5e-6)
    for eps in ("03", "05", "06"):
        labels = dbscan(graph, int(eps) / 10)
        assert same_partition(labels, case[f"labels_eps{eps}"])


def test_all_vectors_are_here():
    assert len(VECTORS) == 9


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 45),
    k1=st.integers(1, 50),
    k2=st.integers(1, 12),
    balanced=st.booleans(),
    doubled=st.booleans(),
    means=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_distances_equal_the_plain_version(count, k1, k2, balanced, doubled, means, seed):
    features = (mirror_means if means else unit_rows)(count, 9, seed)
    if doubled:
        features[count // 2 :] = features[: count - count // 2]
    modality = np.random.default_rng(seed).choice([3, 7], count) if balanced else None
    graph = jaccard_distance(features, k1, k2, modality=modality)
    wanted = plain_jaccard(features, k1, k2, modality)
    np.testing.assert_allclose(dense(graph), wanted, rtol=0, atol=2e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 60), st.integers(1, 30), st.integers(1, 8), st.integers(0, 10_000))
def test_form_of_the_result(count, k1, k2, seed):
    graph = jaccard_distance(unit_rows(count, 6, seed), k1, k2)
    assert graph.shape == (count, count) and graph.data.dtype == np.float32
    for i in range(count):
        columns = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
        assert (np.diff(columns) > 0).all()
    assert ((graph.data >= 0) & (graph.data < 1)).all()
    full = dense(graph)
    np.testing.assert_array_equal(full, full.T)
    np.testing.assert_array_equal(graph.diagonal(), 0)
    assert (full < 1).sum() == graph.nnz, "everything below 1 is stored, the diagonal too"


@pytest.mark.parametrize("length", [1, 0.87])
def test_exact_duplicates_are_stored_zeros_and_cluster(length):
    features = np.repeat(np.float32(length) * unit_rows(12, 16, 0, groups=12), 5, axis=0)
    graph = jaccard_distance(features, 5, 1)
    assert graph.nnz == 12 * 5 * 5
    np.testing.assert_array_equal(graph.data, 0)
    np.testing.assert_array_equal(dbscan(graph, 0.1), np.repeat(np.arange(12), 5))


def test_blocks_of_rows_do_not_show(monkeypatch):
    features = unit_rows(80, 12, 3)
    whole = jaccard_distance(features, 12, 4)
    monkeypatch.setattr(jaccard_graph, "BLOCK_ENTRIES", 50)
    blocks = jaccard_distance(features, 12, 4)
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(blocks, name))


def test_order_of_the_samples_does_not_matter():
    features = unit_rows(70, 12, 5)
    order = np.random.default_rng(0).permutation(70)
    full = dense(jaccard_distance(features, 10, 3))
    moved = dense(jaccard_distance(features[order], 10, 3))
    np.testing.assert_allclose(moved, full[np.ix_(order, order)], atol=1e-6)


def test_form_of_the_input_does_not_matter():
    features = unit_rows(50, 8, 1)
    wanted = dense(jaccard_distance(features, 8, 3))
    strided = np.zeros((8, 100), np.float32)
    strided[:, ::2] = features.T
    learned = torch.from_numpy(features).requires_grad_()
    for form in (strided[:, ::2].T, learned, features.astype(np.float64), 3 * features):
        np.testing.assert_allclose(dense(jaccard_distance(form, 8, 3)), wanted, atol=1e-6)
    half = features.astype(np.float16)
    np.testing.assert_array_equal(
        dense(jaccard_distance(half, 8, 3)),
        dense(jaccard_distance(half.astype(np.float32), 8, 3)),
    )


def test_rows_longer_than_means_are_scaled():
    features = mirror_means(50, 8, 2)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    wanted = dense(jaccard_distance(unit, 8, 3))
    one_long = features.copy()
    one_long[7] *= 20
    for form in (20 * features, one_long, 1e30 * features):
        found = dense(jaccard_distance(form, 8, 3))
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_lists_that_are_there_give_the_same_distances_of_means():
    features = mirror_means(50, 8, 3)
    graph = jaccard_of_neighbours(features, *nearest_neighbours(features, 8), 8, 3)
    np.testing.assert_array_equal(dense(graph), dense(jaccard_distance(features, 8, 3)))


def test_codes_of_the_modalities_do_not_matter():
    features = unit_rows(60, 8, 2)
    modality = np.arange(60) % 2
    wanted = dense(jaccard_distance(features, 12, 6, modality=modality))
    renamed = dense(jaccard_distance(features, 12, 6, modality=torch.from_numpy(2 - modality)))
    np.testing.assert_allclose(renamed, wanted, atol=1e-6)
    assert np.abs(wanted - dense(jaccard_distance(features, 12, 6))).max() > 1e-3
    alone = dense(jaccard_distance(features, 12, 6, modality=np.zeros(60, np.int64)))
    np.testing.assert_array_equal(alone, dense(jaccard_distance(features, 12, 6)))


def test_partitions_equal_those_of_a_dense_dbscan():
    features = unit_rows(150, 10, 4, spread=0.9, groups=12)
    graph = jaccard_distance(features, 12, 4)
    full = dense(graph)
    found = dbscan(graph, 0.55)
    assert found.max() > 1
    wanted = DBSCAN(eps=0.55, min_samples=4, metric="precomputed").fit_predict(full)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k1": 0}, "k1 = 0"),
        ({"k2": 0}, "k2 = 0"),
        ({"modality": np.zeros(3)}, "modality: expected one code for each of the 10 rows"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        jaccard_distance(unit_rows(10, 4, 0), **arguments)


def test_nan_is_named_and_nothing_is_refused():
    features = unit_rows(10, 4, 0)
    features[7, 1] = np.nan
    with pytest.raises(ValueError, match="features: row 7"):
        jaccard_distance(features)
    with pytest.raises(ValueError, match="at least one row"):
        jaccard_distance(features[:0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_features_give_the_same_distances():
    features = unit_rows(300, 32, 0)
    on_gpu = dense(jaccard_distance(torch.from_numpy(features).cuda(), 20, 6))
    np.testing.assert_allclose(on_gpu, dense(jaccard_distance(features, 20, 6)), atol=5e-6)
    features = mirror_means(300, 32, 0)
    on_gpu = dense(jaccard_distance(torch.from_numpy(features).cuda(), 20, 6))
    np.testing.assert_allclose(on_gpu, dense(jaccard_distance(features, 20, 6)), atol=5e-6)
