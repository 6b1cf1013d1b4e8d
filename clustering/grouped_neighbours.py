"""Nearest neighbours within a row's own group and among all others: cameras, modalities."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .feature_check import bounded_rows, exact_matmul, missing_length
from .matmul_search import BLOCK_SIMILARITIES
from .threads import run_rows

NONE = -1  # stands in a list where there is no further row


class GroupedNeighbours(NamedTuple):
    """Two lists for each row, the nearest first; −1 where there is no further row.

    Attributes:
        own_similarity: ``[N, A]`` float32 similarities 1 − d²/2 of :attr:`own`.
        own: ``[N, A]`` int64, rows of the same group; column 0 is the row itself.
        other_similarity: ``[N, B]`` float32 similarities of :attr:`other`.
        other: ``[N, B]`` int64, rows of all other groups.
    """

    own_similarity: Tensor
    own: Tensor
    other_similarity: Tensor
    other: Tensor


def grouped_neighbours(
    features: Tensor | ArrayLike, groups: Tensor | ArrayLike, own: int, other: int
) -> GroupedNeighbours:
    """Finds for every row the nearest of its own group and the nearest of all other groups.

    Exact, by Euclidean distance, block by block. On the CPU every pair is multiplied once, as in
    ``nearest_neighbours``; which of several equals comes first, or ends a list, is left open.

    Args:
        features: ``[N, D]``, see ``nearest_neighbours``.
        groups: ``[N]`` integer codes: camera or modality of each row.
        own: length of the lists within the group, at least 1: the row itself counts.
        other: length of the lists among the others, at least 0.

    Returns:
        The lists, on the device of the features; none is longer than N.

    Raises:
        ValueError: bad features (see ``bounded_rows``), groups of another length, own < 1 or
            other < 0.
    """
    if own < 1 or other < 0:
        raise ValueError(
            f"expected own of at least 1 (the row itself) and other of at least 0, found {own} and "
            f"{other}"
        )
    rows = bounded_rows(features)
    codes = group_codes(groups, len(rows))
    own, other = min(own, len(rows)), min(other, len(rows))
    missing = missing_length(rows)
    # Rows of a group lie side by side, so that a tile of products belongs to one kind of list.
    order = torch.from_numpy(np.argsort(codes, kind="stable")).to(rows.device)
    ends = np.cumsum(np.bincount(codes))
    ordered = (rows[order], None if missing is None else missing[order])
    # The searches want room for one entry at least.
    wanted = (max(1, own - 1), max(1, other))
    with exact_matmul(rows.device):
        search = _tiles if rows.device.type == "cpu" else _blocks
        lists = search(*ordered, ends, *wanted)
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order), device=order.device)
    named = []
    for (similarity, index), length in zip(lists, (own - 1, other)):
        similarity, index = similarity[back, :length], index[back, :length]
        there = similarity > -torch.inf
        named.append(similarity.where(there, 0))
        named.append(order[index.where(there, 0)].where(there, NONE))
    itself = torch.linalg.vector_norm(rows, dim=1, keepdim=True).square()
    if missing is not None:
        itself += 2 * missing[:, None]
    number = torch.arange(len(rows), device=rows.device)[:, None]
    return GroupedNeighbours(
        torch.cat([itself, named[0]], 1), torch.cat([number, named[1]], 1), named[2], named[3]
    )


def group_codes(groups: Tensor | ArrayLike, count: int) -> NDArray[np.int64]:
    """Groups as 0, 1, …, ``[N]``.

    Args:
        groups: ``[N]`` integers, any numbering.
        count: N.

    Raises:
        ValueError: another length.
    """
    codes = groups.cpu().numpy() if isinstance(groups, Tensor) else np.asarray(groups)
    if codes.shape != (count,):
        raise ValueError(
            f"groups: expected one code for each of the {count} rows, found shape {codes.shape}"
        )
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


Lists = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


def _tiles(
    rows: Tensor, missing: Tensor | None, ends: NDArray[np.int64], own: int, other: int
) -> Lists:
    """Own and other lists of rows that are ordered by group, on the CPU."""
    from .tiled_search import TILE, _scan_columns, _scan_rows  # compiles

    count = len(rows)
    starts = sorted({*range(0, count, TILE), *ends.tolist()} - {count})
    tiles = [slice(a, b) for a, b in pairwise([*starts, count])]
    group = np.searchsorted(ends, starts, side="right")
    lists = [
        (
            np.full((count, k), -np.inf, np.float32),
            np.full((count, k), np.iinfo(np.int32).max, np.int32),
        )
        for k in (own, other)
    ]
    buffer = torch.empty(min(TILE, count) ** 2)
    for number, left in enumerate(tiles):
        for beyond, right in enumerate(tiles[number:], number):
            shape = (left.stop - left.start, right.stop - right.start)
            tile = buffer[: shape[0] * shape[1]].view(shape)
            if missing is None:
                torch.mm(rows[left], rows[right].T, out=tile)
            else:
                torch.add(missing[left, None], missing[right], out=tile)
                tile.addmm_(rows[left], rows[right].T)
            kept = lists[int(group[number] != group[beyond])]
            place = (tile.numpy(), left.start, right.start, *kept)
            run_rows(_scan_rows, shape[0], *place)
            run_rows(_scan_columns, shape[1], *place)
    within, others = (_falling(*part) for part in lists)
    return within, others


def _falling(similarity: NDArray[np.float32], index: NDArray[np.int32]) -> tuple[Tensor, Tensor]:
    """The heaps as lists."""
    order = np.lexsort((index, -similarity), axis=1)
    names = np.take_along_axis(index, order, 1).astype(np.int64)
    return torch.from_numpy(np.take_along_axis(similarity, order, 1)), torch.from_numpy(names)


def _blocks(
    rows: Tensor, missing: Tensor | None, ends: NDArray[np.int64], own: int, other: int
) -> Lists:
    """The same by blocked products and top-k, on any device."""
    count = len(rows)
    group = torch.from_numpy(np.searchsorted(ends, np.arange(count), side="right"))
    group = group.to(rows.device)
    step = max(1, BLOCK_SIMILARITIES // count)
    within: list[tuple[Tensor, Tensor]] = []
    others: list[tuple[Tensor, Tensor]] = []
    for a in range(0, count, step):
        similarity = rows[a : a + step] @ rows.T
        if missing is not None:
            similarity.add_(missing).add_(missing[a : a + step, None])
        number = torch.arange(a, a + len(similarity), device=rows.device)
        similarity.scatter_(1, number[:, None], -torch.inf)
        same = group[number][:, None] == group
        within.append(_largest(similarity.masked_fill(~same, -torch.inf), own))
        others.append(_largest(similarity.masked_fill(same, -torch.inf), other))
    return _joined(within), _joined(others)


def _largest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    values, index = similarity.topk(min(k, similarity.shape[1]))
    return values, index


def _joined(blocks: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    similarity, index = zip(*blocks, strict=True)
    return torch.cat(similarity), torch.cat(index)
