"""Places of chosen items in a ranked list, by counting instead of sorting (CPU)."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from ..clustering.threads import run_rows

LANE = 64  # compared at once; a fixed number, so that the compiler makes vectors of it


def counted_positions(similarity: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Finds the places of each query's own items among all items, the best one first.

    The own items cut a query's list into as many sections; one pass counts the items of each
    section. Most items rank behind the last own one and cost one comparison.

    Args:
        similarity: [B, G] float32 or float64 on the CPU.
        members: [B, M] int64 items, rising, padded with -1 behind.

    Returns:
        [B, M] int64 places from 0 in the order of falling similarity (equals by rising item),
        rising, G for the padding; [B, M] int64, the column of ``members`` that has each place;
        and [B] bool, which rows hold NaN and so have no order.
    """
    position, column = torch.empty_like(members), torch.empty_like(members)
    broken = torch.zeros(len(members), dtype=torch.bool)
    run_rows(
        _count,
        len(members),
        similarity.contiguous().numpy(),
        members.contiguous().numpy(),
        position.numpy(),
        column.numpy(),
        broken.numpy(),
    )
    return position, column, broken


# "reassoc" lets the compiler add the lane's counts in any order; small whole numbers stay exact.
@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _count(
    start: int,
    stop: int,
    similarity: NDArray[np.floating],
    members: NDArray[np.int64],
    position: NDArray[np.int64],
    column: NDArray[np.int64],
    broken: NDArray[np.bool_],
) -> None:
    items, most = similarity.shape[1], members.shape[1]
    by_rank, item = np.empty(most, np.int64), np.empty(most, np.int64)
    level, count = np.empty(most, similarity.dtype), np.empty(most + 1, np.int64)
    for q in range(start, stop):
        row = similarity[q]
        size = 0
        while size < most and members[q, size] >= 0:
            size += 1
        for p in range(size, most):
            position[q, p] = items
            column[q, p] = p
        if size == 0:
            broken[q] = np.isnan(row).any()
            continue
        if size > LANE:
            by_rank[:size] = np.argsort(-row[members[q, :size]], kind="mergesort")
        else:
            for m in range(size):  # an insertion sort keeps equals in order, too
                value = row[members[q, m]]
                p = m
                while p > 0 and row[members[q, by_rank[p - 1]]] < value:
                    by_rank[p] = by_rank[p - 1]
                    p -= 1
                by_rank[p] = m
        for p in range(size):
            item[p] = members[q, by_rank[p]]
            level[p] = row[item[p]]
        lowest = level[size - 1]
        count[: size + 1] = 0
        for first in range(0, items, LANE):
            last = min(first + LANE, items)
            if last - first == LANE:
                lane = row[first:last]
                near = np.float32(0)
                for g in range(LANE):
                    # NaN is not below either, so that no lane with one is passed over.
                    near += np.float32(not lane[g] < lowest)
                if near == 0:
                    continue
            for g in range(first, last):
                value = row[g]
                if value < lowest:
                    continue
                if np.isnan(value):
                    broken[q] = True
                    continue
                low, high = 0, size
                while low < high:
                    middle = (low + high) >> 1
                    if level[middle] > value or (level[middle] == value and item[middle] < g):
                        low = middle + 1
                    else:
                        high = middle
                count[low] += 1
        broken[q] |= np.isnan(lowest)
        place = -1  # an item is counted in its own section
        for p in range(size):
            place += count[p]
            position[q, p] = place
            column[q, p] = by_rank[p]
