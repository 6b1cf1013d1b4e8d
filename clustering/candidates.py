"""The compiled loops that keep, for each row, the rows that may be among its nearest.

Similarities come coarse, each with a bound of its error. A row keeps every other row whose upper
bound reaches the k-th best lower bound; when its list is full, or at the end, float32 sums in one
fixed order decide. So the lists are those of these sums, whatever the coarse products were.

What is compared is nearness, −d²/2 with the Euclidean distance d. Rows must be offered by rising
index: then one that is as near as the worst of a full list never has to replace it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ROUNDING = 2.0**-24  # of a float32 operation
LANE = 64  # added or compared at once; a fixed number, so that the compiler makes vectors of it


def decision_error(width: int) -> float:
    """How far ``nearness`` of rows of this width may be from the truth, relatively."""
    return (width // (8 * LANE) + 24) * ROUNDING


class Lists(NamedTuple):
    """The candidates of all rows, and what decides between them.

    Attributes:
        value: ``[N, C]`` nearness; of the first ``decided`` entries final and falling, then coarse.
        other: ``[N, C]`` the rows that they belong to.
        size: ``[N]`` entries in use.
        decided: ``[N]`` entries with a final value.
        worst: ``[N]`` what an upper bound must reach to be kept.
        work: ``[N]`` sums taken so far.
        keep: ``[1]`` neighbours wanted.
        rows: ``[N, D]`` features.
        apart: ``[N]`` 1/2 for a row of zeros, which counts as orthogonal to all, else 0.
    """

    value: NDArray[np.float32]
    other: NDArray[np.int32]
    size: NDArray[np.int32]
    decided: NDArray[np.int32]
    worst: NDArray[np.float32]
    work: NDArray[np.int64]
    keep: NDArray[np.int64]
    rows: NDArray[np.float32]
    apart: NDArray[np.float32]


@njit(cache=True, nogil=True)
def nearness(
    a: NDArray[np.float32], b: NDArray[np.float32], lane: NDArray[np.float32]
) -> np.float32:
    """−‖a − b‖²/2, summed in one fixed order: the same bits on every processor.

    From differences, so that rows which nearly agree are still told apart, and equal rows give 0.
    Within ``decision_error(D)`` of the true value, relatively; ``lane`` is scratch of LANE numbers.
    """
    width = len(a)
    whole = width - width % (8 * LANE)
    lane[:] = 0.0
    for d in range(0, whole, 8 * LANE):
        x = a[d : d + 8 * LANE]
        y = b[d : d + 8 * LANE]
        for n in range(LANE):
            p = x[n] - y[n]
            q = x[n + LANE] - y[n + LANE]
            r = x[n + 2 * LANE] - y[n + 2 * LANE]
            s = x[n + 3 * LANE] - y[n + 3 * LANE]
            t = x[n + 4 * LANE] - y[n + 4 * LANE]
            u = x[n + 5 * LANE] - y[n + 5 * LANE]
            v = x[n + 6 * LANE] - y[n + 6 * LANE]
            w = x[n + 7 * LANE] - y[n + 7 * LANE]
            lane[n] += ((p * p + q * q) + (r * r + s * s)) + ((t * t + u * u) + (v * v + w * w))
    for d in range(whole, width, LANE):
        for n in range(min(LANE, width - d)):
            p = a[d + n] - b[d + n]
            lane[n] += p * p
    half = LANE // 2
    while half > 0:
        for n in range(half):
            lane[n] += lane[n + half]
        half //= 2
    return np.float32(-0.5) * lane[0]


@njit(cache=True, nogil=True)
def _decide(i: int, lists: Lists, bound: NDArray[np.float32], lane: NDArray[np.float32]) -> None:
    """Computes the nearness of a row's candidates and keeps the nearest, sorted."""
    value, index = lists.value[i], lists.other[i]
    done, size, keep = lists.decided[i], lists.size[i], lists.keep[0]
    coarse, names = value[done:size].copy(), index[done:size].copy()
    worst = lists.worst[i]
    # The likeliest first: what they settle spares others the sum.
    for p in np.argsort(-coarse):
        j = names[p]
        if coarse[p] + (bound[i] + bound[j]) < worst:
            continue
        exact = nearness(lists.rows[i], lists.rows[j], lane) - (lists.apart[i] + lists.apart[j])
        lists.work[i] += 1
        place = done
        while place > 0 and (
            value[place - 1] < exact or (value[place - 1] == exact and index[place - 1] > j)
        ):
            place -= 1
        if place == keep:
            continue
        done = min(done + 1, keep)
        for q in range(done - 1, place, -1):
            value[q] = value[q - 1]
            index[q] = index[q - 1]
        value[place] = exact
        index[place] = j
        if done == keep:
            worst = max(worst, value[keep - 1])
    if done == keep and value[keep - 1] == 0.0:
        worst = np.float32(np.inf)  # equal rows all: those yet to come have higher indices
    lists.worst[i] = worst
    lists.decided[i] = done
    lists.size[i] = done


@njit(cache=True, nogil=True)
def _make_room(i: int, lists: Lists, bound: NDArray[np.float32], lane: NDArray[np.float32]) -> None:
    """Drops the candidates of a full list that cannot be among the nearest."""
    value, index = lists.value[i], lists.other[i]
    done, size, keep = lists.decided[i], lists.size[i], lists.keep[0]
    lower = value[:size].copy()
    for p in range(done, size):
        lower[p] -= bound[i] + bound[index[p]]
    lists.worst[i] = max(lists.worst[i], np.partition(lower, size - keep)[size - keep])
    worst = lists.worst[i]
    kept = 0
    for p in range(size):
        if p == done:
            lists.decided[i] = kept
        upper = value[p] if p < done else value[p] + (bound[i] + bound[index[p]])
        if upper >= worst:
            value[kept] = value[p]
            index[kept] = index[p]
            kept += 1
    if done == size:
        lists.decided[i] = kept
    lists.size[i] = kept
    if 4 * kept > 3 * len(value):  # the bounds do not tell these apart
        _decide(i, lists, bound, lane)


@njit(cache=True, nogil=True)
def scan_rows(
    start: int,
    stop: int,
    tile: NDArray[np.float32],
    row0: int,
    column0: int,
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    bound: NDArray[np.float32],
    lists: Lists,
) -> None:
    """Offers the entries right of the diagonal to the lists of the tile's rows."""
    width, room = tile.shape[1], lists.value.shape[1]
    lane, found = np.empty(LANE, np.float32), np.empty(LANE, np.int64)
    other = scale[column0 : column0 + width]
    lift = offset[column0 : column0 + width] + bound[column0 : column0 + width]
    for r in range(start, stop):
        row = row0 + r
        own = scale[row]
        needed = lists.worst[row] - (offset[row] + bound[row])
        column = max(0, row + 1 - column0)
        while column < width:
            end = min(column + LANE, width)
            hits = 1
            if end - column == LANE:
                part = tile[r, column:end]
                factor = other[column:end]
                most = lift[column:end]
                hits = 0
                for c in range(LANE):
                    hits += np.float32(part[c]) * (own * factor[c]) + most[c] >= needed
            if hits > 0:
                hits = 0
                for c in range(column, end):  # without a branch: their numbers first
                    found[hits] = c
                    hits += np.float32(tile[r, c]) * (own * other[c]) + lift[c] >= needed
                for c in found[:hits]:
                    product = np.float32(tile[r, c]) * (own * other[c])
                    if product + lift[c] >= needed:
                        if lists.size[row] == room:
                            _make_room(row, lists, bound, lane)
                            needed = lists.worst[row] - (offset[row] + bound[row])
                            if product + lift[c] < needed:
                                continue
                        n = lists.size[row]
                        lists.value[row, n] = product + (offset[row] + offset[column0 + c])
                        lists.other[row, n] = column0 + c
                        lists.size[row] = n + 1
            column = end


@njit(cache=True, nogil=True)
def scan_columns(
    start: int,
    stop: int,
    tile: NDArray[np.float32],
    row0: int,
    column0: int,
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    bound: NDArray[np.float32],
    lists: Lists,
) -> None:
    """Offers the same entries to the lists of the tile's columns (the matrix is symmetric)."""
    width, room = tile.shape[1], lists.value.shape[1]
    lane, found = np.empty(LANE, np.float32), np.empty(LANE, np.int64)
    other = scale[column0 : column0 + width]
    lift = offset[column0 : column0 + width] + bound[column0 : column0 + width]
    needed = lists.worst[column0 : column0 + width] - lift
    for r in range(tile.shape[0]):
        row = row0 + r
        own = scale[row]
        most = offset[row] + bound[row]
        column = max(start, row + 1 - column0)
        while column < stop:
            end = min(column + LANE, stop)
            hits = 1
            if end - column == LANE:
                part = tile[r, column:end]
                factor = other[column:end]
                lowest = needed[column:end]
                hits = 0
                for c in range(LANE):
                    hits += np.float32(part[c]) * (own * factor[c]) + most >= lowest[c]
            if hits > 0:
                hits = 0
                for c in range(column, end):
                    found[hits] = c
                    hits += np.float32(tile[r, c]) * (own * other[c]) + most >= needed[c]
                for c in found[:hits]:
                    product = np.float32(tile[r, c]) * (own * other[c])
                    if product + most >= needed[c]:
                        j = column0 + c
                        if lists.size[j] == room:
                            _make_room(j, lists, bound, lane)
                            needed[c] = lists.worst[j] - lift[c]
                            if product + most < needed[c]:
                                continue
                        n = lists.size[j]
                        lists.value[j, n] = product + (offset[row] + offset[j])
                        lists.other[j, n] = row
                        lists.size[j] = n + 1
            column = end


@njit(cache=True, nogil=True)
def visiting_order(lists: Lists) -> NDArray[np.int64]:
    """All rows, each followed by its candidates: what is read for one is cached for the next."""
    count = len(lists.size)
    order = np.empty(count, np.int64)
    seen = np.zeros(count, np.bool_)
    n = 0
    for i in range(count):
        if not seen[i]:
            seen[i] = True
            order[n] = i
            n += 1
        for p in range(lists.size[i]):
            j = lists.other[i, p]
            if not seen[j]:
                seen[j] = True
                order[n] = j
                n += 1
    return order


@njit(cache=True, nogil=True)
def decide_rows(
    start: int,
    stop: int,
    order: NDArray[np.int64],
    bound: NDArray[np.float32],
    lists: Lists,
) -> None:
    """Makes the lists of rows ``order[start:stop]`` final."""
    lane = np.empty(LANE, np.float32)
    for i in order[start:stop]:
        if lists.size[i] > lists.decided[i]:
            if lists.size[i] > lists.keep[0]:
                _make_room(i, lists, bound, lane)
            _decide(i, lists, bound, lane)
