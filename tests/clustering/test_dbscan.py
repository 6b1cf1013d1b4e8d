"""DBSCAN on a sparse graph equals scikit-learn's, label by label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import DBSCAN
from vireid.clustering.dbscan import core_distances, dbscan


def random_graph(count, density, seed, steps=20):
    """Symmetric distances on a coarse grid (many equal eps), a share of pairs stored."""
    rng = np.random.default_rng(seed)
    full = np.ones((count, count), np.float32)
    rows, columns = np.triu_indices(count, 1)
    kept = rng.random(len(rows)) < density
    full[rows[kept], columns[kept]] = rng.integers(0, steps, kept.sum()) / np.float32(steps)
    full = np.minimum(full, full.T)
    np.fill_diagonal(full, 0)
    rows, columns = np.nonzero(full < 1)
    return full, sparse.csr_array((full[rows, columns], (rows, columns)), shape=full.shape)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 60),
    density=st.sampled_from([0.02, 0.06, 0.15, 0.5]),
    eps=st.sampled_from([0.05, 0.3, 0.35, 0.6, 0.95]),
    min_samples=st.integers(1, 6),
    seed=st.integers(0, 10_000),
)
def test_labels_equal_those_of_scikit_learn(count, density, eps, min_samples, seed):
    full, graph = random_graph(count, density, seed)
    wanted = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit_predict(full)
    found = dbscan(graph, eps, min_samples)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, wanted)


def test_a_diagonal_that_is_not_stored_counts_all_the_same():
    _, graph = random_graph(40, 0.2, 0)
    bare = graph.tocoo()
    off = bare.row != bare.col
    bare = sparse.csr_array((bare.data[off], (bare.row[off], bare.col[off])), shape=graph.shape)
    np.testing.assert_array_equal(dbscan(bare, 0.5, 3), dbscan(graph, 0.5, 3))


def test_zeros_are_distances_and_gaps_are_not():
    rows, columns = np.array([0, 1, 0, 1, 2]), np.array([1, 0, 0, 1, 2])
    graph = sparse.csr_array((np.zeros(5, np.float32), (rows, columns)), shape=(3, 3))
    assert dbscan(graph, 0.0, 2).tolist() == [0, 0, -1]


def test_eps_is_inclusive_in_the_precision_of_the_graph():
    data = np.array([0.6, 0.6], np.float32)
    graph = sparse.csr_array((data, ([0, 1], [1, 0])), shape=(2, 2))
    assert dbscan(graph, 0.6, 2).tolist() == [0, 0]


def test_renaming_the_samples_renames_the_labels_only():
    _, graph = random_graph(50, 0.05, 3)
    order = np.random.default_rng(0).permutation(50)
    moved = graph[order][:, order].tocsr()
    # min_samples 1 knows no border samples, whose cluster depends on the order.
    a, b = dbscan(graph, 0.4, 1)[order], dbscan(moved, 0.4, 1)
    assert len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 7), st.integers(0, 1000))
def test_core_distances_equal_a_sort(count, min_samples, seed):
    full, graph = random_graph(count, 0.3, seed)
    padded = np.hstack([full, np.ones((count, min_samples), np.float32)])
    np.testing.assert_array_equal(
        core_distances(graph, min_samples), np.sort(padded, axis=1)[:, min_samples - 1]
    )


def test_an_empty_graph_has_no_labels():
    graph = sparse.csr_array((np.empty(0, np.float32), np.empty(0, np.int32), [0]), shape=(0, 0))
    assert dbscan(graph, 0.5).shape == (0,)


@pytest.mark.parametrize(
    ("eps", "min_samples", "message"),
    [
        (1.0, 4, "eps: expected"),
        (-0.1, 4, "eps"),
        (float("nan"), 4, "eps"),
        (0.5, 0, "min_samples"),
    ],
)
def test_bad_arguments_are_named(eps, min_samples, message):
    with pytest.raises(ValueError, match=message):
        dbscan(random_graph(5, 0.5, 0)[1], eps, min_samples)


def test_a_dense_matrix_is_refused():
    with pytest.raises(ValueError, match="square sparse matrix"):
        dbscan(np.zeros((3, 3)), 0.5)
