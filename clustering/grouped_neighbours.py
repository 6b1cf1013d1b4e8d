"""Nearest neighbours within a row's own group and among all others: cameras, modalities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .. import transfers
from .feature_check import bounded_rows, exact_matmul, missing_length
from .matmul_search import BLOCK_SIMILARITIES

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
    order = transfers.to_device(np.argsort(codes, kind="stable"), rows.device)
    ends = np.cumsum(np.bincount(codes))
    ordered = (rows[order], None if missing is None else missing[order])
    # The searches want room for one entry at least.
    wanted = (max(1, own - 1), max(1, other))
    with exact_matmul(rows.device):
        lists = _search(*ordered, ends, *wanted)
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
    codes = transfers.host_array(groups)
    if codes.shape != (count,):
        raise ValueError(
            f"groups: expected one code for each of the {count} rows, found shape {codes.shape}"
        )
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


Lists = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]


def _search(
    rows: Tensor, missing: Tensor | None, ends: NDArray[np.int64], own: int, other: int
) -> Lists:
    """Own and other lists of rows that are ordered by group."""
    if transfers.is_host(rows):
        from .tiled_search import tiled_neighbours_by_group  # compiles

        return tiled_neighbours_by_group(rows, ends.tolist(), own, other)
    return _blocks(rows, missing, ends, own, other)


def _blocks(
    rows: Tensor, missing: Tensor | None, ends: NDArray[np.int64], own: int, other: int
) -> Lists:
    """The same by blocked products and top-k, on any device."""
    count = len(rows)
    group = transfers.to_device(np.searchsorted(ends, np.arange(count), side="right"), rows.device)
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
