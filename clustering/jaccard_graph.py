"""Jaccard distances of sparse weight rows, as a sparse symmetric graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from . import kernels
from .reciprocal import entries
from .threads import run_rows

BLOCK_ENTRIES = 1 << 22


def graph_of_weights(
    pointer: NDArray[np.int64], column: NDArray[np.int32], value: NDArray[np.float32]
) -> sparse.csr_array:
    """Distances of all rows that share a column of the weights.

    Each pair is computed once, for i < j, block of rows by block of rows. Written by rising i into
    row j, the lower triangle comes out sorted, and so does the upper one when it is mirrored.

    Args:
        pointer: ``[N + 1]``, start of each row's entries, as ``reciprocal_weights`` returns it.
        column: of each entry.
        value: of each entry; rows sum to 1.

    Returns:
        ``[N, N]``, see ``jaccard_distance``.
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
