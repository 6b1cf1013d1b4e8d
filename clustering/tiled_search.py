"""Exact nearest neighbours on the CPU: half of the similarity matrix, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import coarse_products
from .candidates import Lists, decide_rows, scan_columns, scan_rows, visiting_order
from .coarse_products import WIDEST, CoarseProducts
from .threads import run_rows

LEFT, RIGHT = 2048, 1024  # rows and columns of a tile: 8 MiB, scanned in the last-level cache
ROOM = 4  # candidates kept for each neighbour wanted
PATIENCE = 400  # one of so many pairs may need a sum of its own before finer products are cheaper


def tiled_neighbours(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Finds the k − 1 nearest *other* rows of each row by Euclidean distance.

    Every pair is multiplied once: a tile above the diagonal serves its rows and, read the other
    way, its columns. The product is one of 8-bit digits where the processor is fast at that, with
    a bound of its error. Pairs that the bound leaves in doubt are decided by a float32 sum in one
    fixed order, so that neither the processor nor the number of threads shows in the lists; a pair
    has one distance wherever it shows up. Equal distances go to the lower index.

    Args:
        features: ``[N, D]`` no longer than 1, float32, contiguous, on the CPU. A row of zeros
            counts as a unit row orthogonal to all.
        k: list length with the row itself, 2 ≤ k ≤ N.

    Returns:
        Similarity 1 − d²/2 ``[N, k − 1]`` float32, falling, and indices ``[N, k − 1]`` int64.
    """
    (lists,) = _search(features, [len(features)], (k - 1,))
    return _ranked(lists)


def tiled_neighbours_by_group(
    features: Tensor, ends: Sequence[int], own: int, other: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Finds for each row the nearest other rows of its group and the nearest rows of all others.

    Args:
        features: as for :func:`tiled_neighbours`, the rows of a group side by side.
        ends: row after the last of each group, rising to N; no group is empty.
        own: length of the lists within the group, at least 1.
        other: length of the lists among all other groups, at least 1.

    Returns:
        Lists of the own group, and of the others, as :func:`tiled_neighbours` returns them; where a
        list has no further row, similarity −∞ and index 0.
    """
    within, beyond = _search(features, ends, (own, other))
    return _ranked(within), _ranked(beyond)


def _search(features: Tensor, ends: Sequence[int], keep: Sequence[int]) -> list[Lists]:
    """Lists of the own group and, if two lengths are given, of the others."""
    count, width = features.shape
    apart = np.where(features.numpy().any(1), np.float32(0), np.float32(0.5))
    found = [_empty(features, length, apart) for length in keep]
    largest = coarse_products.largest_digit() if width < WIDEST else 0
    coarse = CoarseProducts(features, apart, 1 if largest else 0, largest)
    buffer = torch.empty(min(LEFT, count) * min(RIGHT, count), dtype=torch.int32)
    pairs = 0
    for row0, row1, group in _pieces(0, ends, LEFT):
        left = coarse.operand(row0, row1)
        for column0, column1, beside in _pieces(row0, ends, RIGHT):
            right = coarse.operand(column0, column1)
            above = [part[: column1 - row0] for part in left]
            tile = coarse.multiply(above, right, buffer).numpy()
            lists = found[int(group != beside)]
            place = (tile, row0, column0, coarse.scale, coarse.offset, coarse.bound, lists)
            # Columns first: so each row is offered all others by rising index.
            run_rows(scan_columns, tile.shape[1], *place)
            run_rows(scan_rows, tile.shape[0], *place)
            pairs += tile.size
            if coarse.digits == 1 and _too_coarse(found, pairs):
                _decide_all(found, coarse)
                coarse = CoarseProducts(features, apart, 2, largest)
                left = coarse.operand(row0, row1)
                buffer = torch.empty(2 * len(buffer), dtype=torch.int32)
    _decide_all(found, coarse)
    return found


def _pieces(first: int, ends: Sequence[int], length: int) -> Iterator[tuple[int, int, int]]:
    """Start, end and group of at most ``length`` rows of one group each, from row ``first``."""
    for group, end in enumerate(ends):
        for start in range(first, end, length):
            yield start, min(start + length, end), group
        first = max(first, end)


def _ranked(lists: Lists) -> tuple[Tensor, Tensor]:
    """Similarities and indices of lists that are decided."""
    keep = int(lists.keep[0])
    there = np.arange(keep) < lists.decided[:, None]
    similarity = 1 + np.where(there, lists.value[:, :keep], np.float32(-np.inf))
    index = np.where(there, lists.other[:, :keep], 0).astype(np.int64)
    return torch.from_numpy(similarity), torch.from_numpy(index)


def _decide_all(found: Sequence[Lists], coarse: CoarseProducts) -> None:
    for lists in found:
        run_rows(decide_rows, len(lists.size), visiting_order(lists), coarse.bound, lists)


def _empty(features: Tensor, keep: int, apart: NDArray[np.float32]) -> Lists:
    count = len(features)
    room = min(ROOM * keep + 8, max(count, keep + 1))
    return Lists(
        np.empty((count, room), np.float32),
        np.empty((count, room), np.int32),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.full(count, -np.inf, np.float32),
        np.zeros(count, np.int64),
        np.full(1, keep),
        features.numpy(),
        apart,
    )


def _too_coarse(found: Sequence[Lists], pairs: int) -> bool:
    """Whether more pairs needed a sum of their own than finer products would cost."""
    taken = sum(int(lists.work.sum()) for lists in found)
    return taken > pairs // PATIENCE + sum(lists.value.size for lists in found)
