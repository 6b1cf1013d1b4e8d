"""DBSCAN on a sparse distance graph."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from .threads import run_rows

NOISE = -1


def dbscan(distance: sparse.csr_array, eps: float, min_samples: int = 4) -> NDArray[np.int64]:
    """Clusters samples by density (Ester et al., KDD 1996), exactly as scikit-learn does.

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
    indptr, indices, data = graph_arrays(distance, min_samples)
    # Compared in the graph's precision, so that a stored 0.6 lies within 0.6.
    radius = data.dtype.type(eps)
    core = np.empty(len(indptr) - 1, np.bool_)
    run_rows(_mark_core, len(core), indptr, indices, data, radius, min_samples, core)
    return _grow(indptr, indices, data, radius, core)


def core_distances(distance: sparse.csr_array, min_samples: int = 4) -> NDArray[np.float32]:
    """Smallest radius at which each sample becomes a core sample.

    Args:
        distance: as for :func:`dbscan`.
        min_samples: as for :func:`dbscan`.

    Returns:
        ``[N]`` float32: distance to the sample of rank ``min_samples`` (itself is the first);
        1 where fewer are stored.

    Raises:
        ValueError: min_samples < 1, or a matrix that is not square.
    """
    indptr, indices, data = graph_arrays(distance, min_samples)
    radius = np.empty(len(indptr) - 1, np.float32)
    run_rows(_core_radius, len(radius), indptr, indices, data, min_samples, radius)
    return radius


def graph_arrays(
    distance: sparse.csr_array, min_samples: int
) -> tuple[NDArray[np.integer], NDArray[np.integer], NDArray[np.floating]]:
    """The three arrays of a checked distance graph.

    Args:
        distance: square sparse matrix.
        min_samples: checked here as well, at least 1.

    Returns:
        ``indptr``, ``indices``, ``data`` of the CSR form.

    Raises:
        ValueError: min_samples < 1, or a matrix that is not sparse and square.
    """
    if min_samples < 1:
        raise ValueError(f"min_samples: expected at least 1, found {min_samples}")
    if not sparse.issparse(distance) or distance.shape[0] != distance.shape[1]:
        raise ValueError(
            "distance: expected a square sparse matrix (the result of jaccard_distance), found "
            f"{type(distance).__name__} of shape {np.shape(distance)}"
        )
    graph = distance.tocsr()
    return graph.indptr, graph.indices, graph.data


@njit(cache=True, nogil=True)
def _mark_core(
    start: int,
    stop: int,
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    data: NDArray[np.floating],
    eps: float,
    min_samples: int,
    core: NDArray[np.bool_],
) -> None:
    for i in range(start, stop):
        within = 1
        for e in range(indptr[i], indptr[i + 1]):
            within += data[e] <= eps and indices[e] != i
        core[i] = within >= min_samples


@njit(cache=True, nogil=True)
def _grow(
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    data: NDArray[np.floating],
    eps: float,
    core: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Floods each cluster from its first core sample; border samples do not pass it on."""
    labels = np.full(len(core), NOISE, np.int64)
    waiting = np.empty(len(core), np.int64)
    clusters = 0
    for first in range(len(core)):
        if labels[first] != NOISE or not core[first]:
            continue
        labels[first] = clusters
        waiting[0] = first
        size = 1
        while size > 0:
            size -= 1
            i = waiting[size]
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                if data[e] <= eps and labels[j] == NOISE:
                    labels[j] = clusters
                    if core[j]:
                        waiting[size] = j
                        size += 1
        clusters += 1
    return labels


@njit(cache=True, nogil=True)
def _core_radius(
    start: int,
    stop: int,
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    data: NDArray[np.floating],
    min_samples: int,
    radius: NDArray[np.float32],
) -> None:
    nearest = np.empty(min_samples, np.float32)
    for i in range(start, stop):
        nearest[:] = 1.0
        nearest[0] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            if indices[e] == i or data[e] >= nearest[-1]:
                continue
            place = min_samples - 1
            while place > 0 and nearest[place - 1] > data[e]:
                nearest[place] = nearest[place - 1]
                place -= 1
            nearest[place] = data[e]
        radius[i] = nearest[-1]
