"""k-reciprocal Jaccard distance, sparse from end to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor

from .. import transfers
from .feature_check import bounded_rows, missing_length
from .neighbours import nearest_neighbours


def jaccard_distance(
    features: Tensor | ArrayLike,
    k1: int = 30,
    k2: int = 6,
    *,
    modality: Tensor | ArrayLike | None = None,
) -> sparse.csr_array:
    """Computes the k-reciprocal Jaccard distance between all rows.

    The k-reciprocal set of a row holds those of its first k1 neighbours (itself counts) that have
    it among theirs; half-size sets of its members join if more than 2/3 of them lie inside. A row
    weighs its set by softmax(−(2 − 2·inner product)); the weights are averaged over the first k2
    neighbours (k2 = 1: not at all). With s = Σ min of two weight rows, distance = 1 − s/(2 − s).
    Source: Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR
    2017, in the form that cluster contrast (arXiv:2103.11568) clusters with; lists are k1 long,
    half lists round(k1/2) + 1 (ties to even). Memory is proportional to what is stored.

    Args:
        features: ``[N, D]`` floating point, tensor (any device) or array. Unit rows and means of
            unit rows are taken as they are, neighbours then go by Euclidean distance; if a row is
            longer than 1 by more than rounding, all are scaled to unit rows.
        k1: neighbours that make a reciprocal set, at least 1; at most N count.
        k2: neighbours of the query expansion, at least 1; at most k1 count.
        modality: ``[N]`` integer codes, any two numbers. If given, the expansion is the mean of
            the modalities' means over the k2 neighbours, so that both weigh the same.

    Returns:
        Symmetric float32 matrix ``[N, N]``: every distance below 1 is stored, zeros (diagonal,
        exact duplicates) included; what is not stored is 1. Indices are sorted.

    Raises:
        ValueError: bad features (see ``bounded_rows``), k1 or k2 below 1, modality of another
            length.
    """
    _check_lengths(k1, k2)
    rows = bounded_rows(features)
    group = _groups(modality, len(rows))
    return _distance(rows, *nearest_neighbours(rows, k1), k1, k2, group)


def jaccard_of_neighbours(
    features: Tensor | ArrayLike,
    similarity: Tensor,
    index: Tensor,
    k1: int = 30,
    k2: int = 6,
) -> sparse.csr_array:
    """``jaccard_distance`` from neighbour lists that are there already.

    Args:
        features: ``[N, D]``, those that were searched.
        similarity, index: ``[N, min(k1, N)]``, as ``nearest_neighbours`` returns them.
        k1, k2: see ``jaccard_distance``.

    Raises:
        ValueError: see ``jaccard_distance``; lists of another shape.
    """
    _check_lengths(k1, k2)
    rows = bounded_rows(features)
    shape = (len(rows), min(k1, len(rows)))
    if similarity.shape != shape or index.shape != shape:
        raise ValueError(
            f"expected similarity and index {list(shape)}, found {list(similarity.shape)} and "
            f"{list(index.shape)}"
        )
    return _distance(rows, similarity, index, k1, k2)


def _check_lengths(k1: int, k2: int) -> None:
    if k1 < 1 or k2 < 1:
        raise ValueError(f"expected k1 and k2 of at least 1, found k1 = {k1}, k2 = {k2}")


def _distance(
    rows: Tensor,
    similarity: Tensor,
    index: Tensor,
    k1: int,
    k2: int,
    group: NDArray[np.int32] | None = None,
) -> sparse.csr_array:
    # Imported when used: compiled loops are slow to load.
    from .jaccard_graph import graph_of_weights
    from .reciprocal import reciprocal_weights

    missing = missing_length(rows)
    if missing is not None:  # neighbours go by distance, weights by inner product
        similarity = similarity - missing[:, None] - missing[index]
    half = round(k1 / 2) + 1  # Python rounds ties to even, as wanted
    return graph_of_weights(*reciprocal_weights(rows, similarity, index, k1, half, k2, group=group))


def _groups(modality: Tensor | ArrayLike | None, count: int) -> NDArray[np.int32] | None:
    """The modality of each row as 0, 1, …"""
    if modality is None:
        return None
    codes = transfers.host_array(modality)
    if codes.shape != (count,):
        raise ValueError(
            f"modality: expected one code for each of the {count} rows, found shape {codes.shape}"
        )
    return np.unique(codes, return_inverse=True)[1].astype(np.int32)
