"""k-reciprocal Jaccard distance, sparse from end to end."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor

from . import jaccard_kernels as kernels
from .feature_check import unit_rows
from .neighbours import nearest_neighbours
from .reciprocal import entries, reciprocal_weights
from .threads import run_rows

BLOCK_ENTRIES = 1 << 22


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
    weighs its set by softmax(−(2 − 2·cosine)); the weights are averaged over the first k2
    neighbours (k2 = 1: not at all). With s = Σ min of two weight rows, distance = 1 − s/(2 − s).
    Source: Zhong et al., "Re-ranking person re-identification with k-reciprocal encoding", CVPR
    2017, in the form that cluster contrast (arXiv:2103.11568) clusters with; lists are k1 long,
    half lists round(k1/2) + 1 (ties to even). Memory is proportional to what is stored.

    Args:
        features: ``[N, D]`` floating point, tensor (any device) or array; scaled to unit rows.
        k1: neighbours that make a reciprocal set, at least 1; at most N count.
        k2: neighbours of the query expansion, at least 1; at most k1 count.
        modality: ``[N]`` integer codes, any two numbers. If given, the expansion is the mean of
            the modalities' means over the k2 neighbours, so that both weigh the same.

    Returns:
        Symmetric float32 matrix ``[N, N]``: every distance below 1 is stored, zeros (diagonal,
        exact duplicates) included; what is not stored is 1. Indices are sorted.

    Raises:
        ValueError: bad features (see ``unit_rows``), k1 or k2 below 1, modality of another length.
    """
    _check_lengths(k1, k2)
    unit = unit_rows(features)
    group = _groups(modality, len(unit))
    return _distance(unit, *nearest_neighbours(unit, k1), k1, k2, group)


def jaccard_of_neighbours(
    features: Tensor | ArrayLike,
    similarity: Tensor,
    index: Tensor,
    k1: int = 30,
    k2: int = 6,
    *,
    modality: Tensor | ArrayLike | None = None,
) -> sparse.csr_array:
    """``jaccard_distance`` from neighbour lists that are there already.

    Args:
        features: ``[N, D]``, those that were searched.
        similarity: ``[N, min(k1, N)]``, as ``nearest_neighbours`` returns it.
        index: the same shape, as it returns it.
        k1: see ``jaccard_distance``.
        k2: see ``jaccard_distance``.
        modality: see ``jaccard_distance``.

    Returns:
        See ``jaccard_distance``.

    Raises:
        ValueError: see ``jaccard_distance``; lists of another shape.
    """
    _check_lengths(k1, k2)
    unit = unit_rows(features)
    shape = (len(unit), min(k1, len(unit)))
    if similarity.shape != shape or index.shape != shape:
        raise ValueError(
            f"expected similarity and index {list(shape)}, found {list(similarity.shape)} and "
            f"{list(index.shape)}"
        )
    return _distance(unit, similarity, index, k1, k2, _groups(modality, len(unit)))


def _check_lengths(k1: int, k2: int) -> None:
    if k1 < 1 or k2 < 1:
        raise ValueError(f"expected k1 and k2 of at least 1, found k1 = {k1}, k2 = {k2}")


def _distance(
    unit: Tensor,
    similarity: Tensor,
    index: Tensor,
    k1: int,
    k2: int,
    group: NDArray[np.int32] | None,
) -> sparse.csr_array:
    half = round(k1 / 2) + 1  # Python rounds ties to even, as wanted
    return _distances(*reciprocal_weights(unit, similarity, index, k1, half, k2, group=group))


def _groups(modality: Tensor | ArrayLike | None, count: int) -> NDArray[np.int32] | None:
    """The modality of each row as 0, 1, …"""
    if modality is None:
        return None
    codes = modality.cpu().numpy() if isinstance(modality, Tensor) else np.asarray(modality)
    if codes.shape != (count,):
        raise ValueError(
            f"modality: expected one code for each of the {count} rows, found shape {codes.shape}"
        )
    return np.unique(codes, return_inverse=True)[1].astype(np.int32)


def _distances(
    pointer: NDArray[np.int64], column: NDArray[np.int32], value: NDArray[np.float32]
) -> sparse.csr_array:
    """Distances of all rows that share a column of the weights.

    Each pair is computed once, for i < j, block of rows by block of rows. Written by rising i into
    row j, the lower triangle comes out sorted, and so does the upper one when it is mirrored.
    """
    count = len(pointer) - 1
    column_pointer = np.zeros(count + 1, np.int64)
    row, weight = entries(pointer[-1])
    place = np.empty(pointer[-1], np.int64)
    work = np.zeros(count + 1, np.int64)
    kernels.invert(pointer, column, value, column_pointer, row, weight, place, work)
    del value
    # A row has at most as many partners as rows follow it, however many columns it shares.
    room = np.minimum(work, np.arange(count, -1, -1))
    np.cumsum(work, out=work)
    np.cumsum(room, out=room)
    counts, smaller = np.zeros(count, np.int64), np.zeros(count, np.int64)
    blocks = []
    first = 0
    while first < count:
        last = int(np.searchsorted(room, room[first] + BLOCK_ENTRIES, side="right")) - 1
        last = min(max(last, first + 1), count)
        other, distance = entries(room[last] - room[first])
        weights = (pointer, column, place, column_pointer, row, weight)
        run_rows(
            kernels.overlap,
            last - first,
            first,
            *weights,
            room,
            other,
            distance,
            counts,
            work=work[first : last + 1],
        )
        own = counts[first:last]
        packed = entries(own.sum())
        kernels.pack(room, first, own, other, distance, *packed, smaller)
        blocks.append((first, own, *packed))
        first = last
    del column, place, row, weight
    return _assemble(counts, smaller, blocks)


def _assemble(
    counts: NDArray[np.int64],
    smaller: NDArray[np.int64],
    blocks: list[tuple[int, NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]],
) -> sparse.csr_array:
    """Joins the blocks of the upper triangle to the whole symmetric matrix; empties ``blocks``."""
    count = len(counts)
    indptr = np.zeros(count + 1, np.int64)
    np.cumsum(counts + 1 + smaller, out=indptr[1:])
    indices, data = entries(indptr[-1])
    following = indptr[:-1].copy()
    blocks.reverse()
    while blocks:
        kernels.place_lower(*blocks.pop(), following, indices, data)
    kernels.place_upper(indptr, following, indices, data)
    if indptr[-1] <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    distance = sparse.csr_array((data, indices, indptr), shape=(count, count))
    distance.has_sorted_indices = True
    return distance
