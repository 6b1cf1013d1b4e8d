"""DBSCAN on a sparse distance graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

NOISE = -1


def dbscan(distance: sparse.csr_array, eps: float, min_samples: int = 4) -> NDArray[np.int64]:
    """Clusters samples by density (Ester et al., KDD 1996), with scikit-learn.

    A sample with at least ``min_samples`` samples within ``eps`` (≤, itself counts) is a core
    sample. Clusters are numbered by their first core sample; a border sample within reach of
    several clusters joins the one of lowest number. Takes time and memory linear in what is stored.

    Args:
        distance: symmetric ``[N, N]``, as ``jaccard_distance`` returns it: what is not stored is
            1, a stored zero is a distance of zero. A sample is at distance 0 from itself whether
            or not its diagonal entry is stored.
        eps: radius, 0 ≤ eps < 1.
        min_samples: samples that make a core sample, at least 1.

    Returns:
        Label of each sample, ``[N]`` int64, 0 … C − 1, and −1 for noise.

    Raises:
        ValueError: eps outside [0, 1), min_samples < 1, or a matrix that is not square.
    """
    if not 0 <= eps < 1:
        raise ValueError(
            f"eps: expected 0 ≤ eps < 1, found {eps}; pairs that the graph does not store are at "
            "distance 1, so a radius of 1 or more would join everything"
        )
    graph = _checked_graph(distance, min_samples)
    if graph.shape[0] == 0:
        return np.empty(0, np.int64)
    from scipy import sparse
    from sklearn.cluster import DBSCAN  # takes seconds to import

    # scikit-learn copies what it gets, and most pairs lie farther apart than eps. Those that are
    # kept are near whatever their distance; zeros need no sorting.
    # Compared in the graph's precision, so that a stored 0.6 lies within 0.6.
    kept = np.flatnonzero(graph.data <= graph.dtype.type(eps))
    pointer = np.searchsorted(kept, graph.indptr)
    zeros = np.zeros(len(kept), graph.dtype)
    near = sparse.csr_array((zeros, graph.indices[kept], pointer), shape=graph.shape)
    found = DBSCAN(eps=1.0, min_samples=min_samples, metric="precomputed").fit_predict(near)
    return found.astype(np.int64)


def core_distances(distance: sparse.csr_array, min_samples: int = 4) -> NDArray[np.float32]:
    """Smallest radius at which each sample becomes a core sample.

    Args:
        distance, min_samples: as for :func:`dbscan`.

    Returns:
        ``[N]`` float32: distance to the sample of rank ``min_samples`` (itself is the first);
        1 where fewer are stored.

    Raises:
        ValueError: min_samples < 1, or a matrix that is not square.
    """
    from . import kernels  # compiles
    from .threads import run_rows

    graph = _checked_graph(distance, min_samples)
    radius = np.empty(graph.shape[0], np.float32)
    arrays = (graph.indptr, graph.indices, graph.data)
    run_rows(kernels.core_radius, len(radius), *arrays, min_samples, radius)
    return radius


def _checked_graph(distance: sparse.csr_array, min_samples: int) -> sparse.csr_array:
    if min_samples < 1:
        raise ValueError(f"min_samples: expected at least 1, found {min_samples}")
    from scipy import sparse

    if not sparse.issparse(distance) or distance.shape[0] != distance.shape[1]:
        raise ValueError(
            "distance: expected a square sparse matrix (the result of jaccard_distance), found "
            f"{type(distance).__name__} of shape {np.shape(distance)}"
        )
    return distance.tocsr()
