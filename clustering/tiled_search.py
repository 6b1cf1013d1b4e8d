"""Exact nearest neighbours on the CPU: half of the similarity matrix, tile by tile."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from .threads import run_rows

TILE = 2048  # 16 MiB of float32: what lies in the last-level cache while it is scanned
LANE = 64  # compared at once; a fixed number, so that the compiler makes vectors of it


@njit(cache=True, nogil=True)
def _offer(
    similarity: NDArray[np.float32],
    index: NDArray[np.int32],
    value: np.float32,
    column: int,
) -> None:
    """Replaces the worst entry, kept at the root of a heap, and restores the heap."""
    size = len(similarity)
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            similarity[other] < similarity[child]
            or (similarity[other] == similarity[child] and index[other] > index[child])
        ):
            child = other
        if similarity[child] > value or (similarity[child] == value and index[child] < column):
            break
        similarity[place] = similarity[child]
        index[place] = index[child]
        place = child
    similarity[place] = value
    index[place] = column


@njit(cache=True, nogil=True)
def _scan_rows(
    start: int,
    stop: int,
    tile: NDArray[np.float32],
    row0: int,
    column0: int,
    similarity: NDArray[np.float32],
    index: NDArray[np.int32],
) -> None:
    """Offers the entries right of the diagonal to the lists of the tile's rows."""
    width = tile.shape[1]
    for r in range(start, stop):
        row = row0 + r
        best = similarity[row]
        names = index[row]
        column = max(0, row + 1 - column0)
        while column < width:
            end = min(column + LANE, width)
            worst = best[0]
            hits = 1
            if end - column == LANE:
                lane = tile[r, column:end]
                hits = 0
                for c in range(LANE):
                    hits += lane[c] >= worst
            if hits > 0:
                for c in range(column, end):
                    value = tile[r, c]
                    if value > best[0] or (value == best[0] and column0 + c < names[0]):
                        _offer(best, names, value, column0 + c)
            column = end


@njit(cache=True, nogil=True)
def _scan_columns(
    start: int,
    stop: int,
    tile: NDArray[np.float32],
    row0: int,
    column0: int,
    similarity: NDArray[np.float32],
    index: NDArray[np.int32],
) -> None:
    """Offers the same entries to the lists of the tile's columns (the matrix is symmetric)."""
    worst = np.empty(stop - start, np.float32)
    for c in range(start, stop):
        worst[c - start] = similarity[column0 + c, 0]
    for r in range(tile.shape[0]):
        row = row0 + r
        column = max(start, row + 1 - column0)
        while column < stop:
            end = min(column + LANE, stop)
            hits = 1
            if end - column == LANE:
                lane = tile[r, column:end]
                lowest = worst[column - start : end - start]
                hits = 0
                for c in range(LANE):
                    hits += lane[c] >= lowest[c]
            if hits > 0:
                for c in range(column, end):
                    value = tile[r, c]
                    if value < worst[c - start]:
                        continue
                    best = similarity[column0 + c]
                    names = index[column0 + c]
                    if value > best[0] or row < names[0]:
                        _offer(best, names, value, row)
                        worst[c - start] = best[0]
            column = end


def tiled_neighbours(
    features: Tensor, k: int, missing: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Finds the k − 1 most similar *other* rows of each row.

    Every pair is multiplied once: a tile above the diagonal serves its rows and, read the other
    way, its columns. So this takes half the products of a flat search, and the similarity of a
    pair is one number wherever it shows up. Equal similarities go to the lower index.

    Args:
        features: ``[N, D]`` no longer than 1, float32, contiguous, on the CPU.
        k: list length with the row itself, 2 ≤ k ≤ N.
        missing: ``[N]``, see ``missing_length``; None for unit rows.

    Returns:
        Similarity ``[N, k − 1]`` float32, falling, and indices ``[N, k − 1]`` int64.
    """
    count = len(features)
    similarity = np.full((count, k - 1), -np.inf, np.float32)
    index = np.full((count, k - 1), np.iinfo(np.int32).max, np.int32)
    buffer = torch.empty(min(TILE, count) ** 2)
    for row0 in range(0, count, TILE):
        left = features[row0 : row0 + TILE]
        for column0 in range(row0, count, TILE):
            right = features[column0 : column0 + TILE]
            tile = buffer[: len(left) * len(right)].view(len(left), len(right))
            if missing is None:
                torch.mm(left, right.T, out=tile)
            else:
                above, beside = missing[column0 : column0 + TILE], missing[row0 : row0 + TILE]
                torch.add(beside[:, None], above, out=tile).addmm_(left, right.T)
            place = (tile.numpy(), row0, column0, similarity, index)
            run_rows(_scan_rows, len(left), *place)
            run_rows(_scan_columns, len(right), *place)
    order = np.lexsort((index, -similarity), axis=1)
    return (
        torch.from_numpy(np.take_along_axis(similarity, order, 1)),
        torch.from_numpy(np.take_along_axis(index, order, 1).astype(np.int64)),
    )
