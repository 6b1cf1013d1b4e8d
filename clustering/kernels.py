"""The compiled loops of the sparse k-reciprocal Jaccard distance and over its graph.

Each works on a range of rows and touches nothing else, so threads may share the arrays. Those with
``fill`` run twice: first they count the entries of each row (into ``pointer[row + 1]``), then,
when the caller has summed the counts, they write them.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

# A distance below this is the rounding of float32 weights, and means 0.
ZERO = 2.5e-7


@njit(cache=True, nogil=True)
def reciprocal(
    start: int,
    stop: int,
    ranks: NDArray[np.int32],
    length: int,
    found: NDArray[np.int32],
    counts: NDArray[np.int32],
) -> None:
    """Keeps those of the first ``length`` neighbours that have the row among theirs.

    A neighbour of −1 is none.
    """
    for i in range(start, stop):
        n = 0
        for p in range(length):
            f = ranks[i, p]
            if f < 0:
                continue
            for q in range(length):
                if ranks[f, q] == i:
                    found[i, n] = f
                    n += 1
                    break
        counts[i] = n


@njit(cache=True, nogil=True)
def expand(
    start: int,
    stop: int,
    ranks: NDArray[np.int32],
    product: NDArray[np.float32],
    near: NDArray[np.int32],
    near_count: NDArray[np.int32],
    half: NDArray[np.int32],
    half_count: NDArray[np.int32],
    pointer: NDArray[np.int64],
    column: NDArray[np.int32],
    value: NDArray[np.float32],
    fill: bool,
) -> None:
    """Joins to each reciprocal set the half-size sets of which more than 2/3 lie inside it.

    ``value`` receives the product of row and column where a neighbour list holds it, else NaN.
    """
    rows, length = ranks.shape
    inside = np.zeros(rows, np.bool_)
    taken = np.zeros(rows, np.bool_)
    members = np.empty(rows, np.int32)
    place = np.full(rows, -1, np.int32)
    for i in range(start, stop):
        size = near_count[i]
        for p in range(size):
            f = near[i, p]
            inside[f] = True
            taken[f] = True
            members[p] = f
        for p in range(near_count[i]):
            f = near[i, p]
            common = 0
            for q in range(half_count[f]):
                common += inside[half[f, q]]
            if 3 * common > 2 * half_count[f]:
                for q in range(half_count[f]):
                    g = half[f, q]
                    if not taken[g]:
                        taken[g] = True
                        members[size] = g
                        size += 1
        if fill:
            for p in range(length):
                if ranks[i, p] >= 0:
                    place[ranks[i, p]] = p
            for n in range(size):
                f = members[n]
                known = np.float32(np.nan)
                if place[f] >= 0:
                    known = product[i, place[f]]
                else:
                    for q in range(length):
                        if ranks[f, q] == i:
                            known = product[f, q]
                            break
                column[pointer[i] + n] = f
                value[pointer[i] + n] = known
            for p in range(length):
                if ranks[i, p] >= 0:
                    place[ranks[i, p]] = -1
        else:
            pointer[i + 1] = size
        for n in range(size):
            inside[members[n]] = False
            taken[members[n]] = False


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    total = np.float32(0.0)
    for d in range(len(a)):
        total += a[d] * b[d]
    return total


@njit(cache=True, nogil=True)
def pair_product(
    start: int,
    stop: int,
    features: NDArray[np.float32],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    product: NDArray[np.float32],
) -> None:
    """Computes the inner product of listed pairs of rows."""
    for p in range(start, stop):
        product[p] = _dot(features[left[p]], features[right[p]])


@njit(cache=True, nogil=True)
def weigh(start: int, stop: int, pointer: NDArray[np.int64], value: NDArray[np.float32]) -> None:
    """Turns inner products into a softmax of −(2 − 2·product) over each row."""
    for i in range(start, stop):
        total = 0.0
        for e in range(pointer[i], pointer[i + 1]):
            total += np.exp(2.0 * value[e] - 2.0)
        for e in range(pointer[i], pointer[i + 1]):
            value[e] = np.exp(2.0 * value[e] - 2.0) / total


@njit(cache=True, nogil=True)
def average(
    start: int,
    stop: int,
    ranks: NDArray[np.int32],
    k2: int,
    group: NDArray[np.int32],
    groups: int,
    pointer_in: NDArray[np.int64],
    column_in: NDArray[np.int32],
    value_in: NDArray[np.float32],
    pointer: NDArray[np.int64],
    column: NDArray[np.int32],
    value: NDArray[np.float32],
    fill: bool,
) -> None:
    """Query expansion: the mean row of the first k2 neighbours, each group weighing the same."""
    rows = len(ranks)
    total = np.zeros(rows, np.float64)
    members = np.empty(rows, np.int32)
    present = np.zeros(groups, np.int64)
    for i in range(start, stop):
        present[:] = 0
        for p in range(k2):
            if ranks[i, p] >= 0:
                present[group[ranks[i, p]]] += 1
        share = 0
        for g in range(groups):
            share += present[g] > 0
        size = 0
        for p in range(k2):
            f = ranks[i, p]
            if f < 0:
                continue
            weight = 1.0 / (share * present[group[f]])
            for e in range(pointer_in[f], pointer_in[f + 1]):
                c = column_in[e]
                if total[c] == 0.0:
                    members[size] = c
                    size += 1
                total[c] += weight * value_in[e]
        for n in range(size):
            c = members[n]
            if fill:
                column[pointer[i] + n] = c
                value[pointer[i] + n] = total[c]
            total[c] = 0.0
        if not fill:
            pointer[i + 1] = size


@njit(cache=True, nogil=True)
def invert(
    pointer: NDArray[np.int64],
    column: NDArray[np.int32],
    value: NDArray[np.float32],
    column_pointer: NDArray[np.int64],
    row: NDArray[np.int32],
    weight: NDArray[np.float32],
    place: NDArray[np.int64],
    work: NDArray[np.int64],
) -> None:
    """Lists the entries by column, rows rising; ``place`` tells where each entry went.

    ``work[i + 1]`` counts the entries that lie behind row i's in its columns: how many pairs
    (i, j > i) share a column.
    """
    rows = len(pointer) - 1
    for e in range(pointer[rows]):
        column_pointer[column[e] + 1] += 1
    for c in range(rows):
        column_pointer[c + 1] += column_pointer[c]
    following = column_pointer.copy()
    for i in range(rows):
        total = 0
        for e in range(pointer[i], pointer[i + 1]):
            c = column[e]
            p = following[c]
            following[c] = p + 1
            row[p] = i
            weight[p] = value[e]
            place[e] = p
            total += column_pointer[c + 1] - p - 1
        work[i + 1] = total


@njit(cache=True, nogil=True)
def overlap(
    start: int,
    stop: int,
    first: int,
    pointer: NDArray[np.int64],
    column: NDArray[np.int32],
    place: NDArray[np.int64],
    column_pointer: NDArray[np.int64],
    row: NDArray[np.int32],
    weight: NDArray[np.float32],
    room: NDArray[np.int64],
    other: NDArray[np.int32],
    distance: NDArray[np.float32],
    counts: NDArray[np.int64],
) -> None:
    """Computes the distances of rows ``first + start …`` to all later rows that share a column.

    Row i writes to ``other`` and ``distance`` from ``room[i] − room[first]`` on, in no order.
    """
    total = np.zeros(len(pointer) - 1, np.float64)
    for i in range(first + start, first + stop):
        base = room[i] - room[first]
        size = 0
        for e in range(pointer[i], pointer[i + 1]):
            own = weight[place[e]]
            for p in range(place[e] + 1, column_pointer[column[e] + 1]):
                j = row[p]
                if total[j] == 0.0:
                    other[base + size] = j
                    size += 1
                total[j] += min(own, weight[p])
        kept = 0
        for n in range(size):
            j = other[base + n]
            d = np.float32(1.0 - total[j] / (2.0 - total[j]))
            total[j] = 0.0
            if d < 1.0:
                other[base + kept] = j
                distance[base + kept] = d if d > ZERO else np.float32(0.0)
                kept += 1
        counts[i] = kept


@njit(cache=True, nogil=True)
def pack(
    room: NDArray[np.int64],
    first: int,
    counts: NDArray[np.int64],
    other: NDArray[np.int32],
    distance: NDArray[np.float32],
    packed_other: NDArray[np.int32],
    packed_distance: NDArray[np.float32],
    smaller: NDArray[np.int64],
) -> None:
    """Closes the gaps between the rows of one block and counts the pairs of each later row."""
    n = 0
    for i in range(first, first + len(counts)):
        base = room[i] - room[first]
        for e in range(base, base + counts[i - first]):
            packed_other[n] = other[e]
            packed_distance[n] = distance[e]
            smaller[other[e]] += 1
            n += 1


@njit(cache=True, nogil=True)
def place_lower(
    first: int,
    counts: NDArray[np.int64],
    other: NDArray[np.int32],
    distance: NDArray[np.float32],
    following: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.float32],
) -> None:
    """Writes pairs (i, j > i) into row j; as i rises, the columns of each row come in order."""
    e = 0
    for i in range(first, first + len(counts)):
        for _ in range(counts[i - first]):
            p = following[other[e]]
            following[other[e]] = p + 1
            indices[p] = i
            data[p] = distance[e]
            e += 1


@njit(cache=True, nogil=True)
def place_upper(
    indptr: NDArray[np.int64],
    following: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.float32],
) -> None:
    """Adds the diagonal's zeros, and mirrors the lower triangle, where ``following`` ends it."""
    rows = len(indptr) - 1
    for j in range(rows):
        stop = following[j]
        indices[stop] = j
        data[stop] = 0.0
        # Row j receives its upper part, behind the diagonal, from later rows only.
        following[j] = stop + 1
        for e in range(indptr[j], stop):
            i = indices[e]
            p = following[i]
            following[i] = p + 1
            indices[p] = j
            data[p] = data[e]


@njit(cache=True, nogil=True)
def core_radius(
    start: int,
    stop: int,
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    data: NDArray[np.floating],
    min_samples: int,
    radius: NDArray[np.float32],
) -> None:
    """Distance of the sample of rank ``min_samples`` from each row, itself the first; 1 if none."""
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
