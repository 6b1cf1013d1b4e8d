"""Ranks of the right gallery items for a block of queries: the core of the ranking metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import transfers

LANE = 64  # compared at once; a fixed number, so that the compiler makes vectors of it

# Average precisions are summed as integers in units of 2^-40: integer sums do not depend on the
# order of summation, so every device gives the same bits. 2^-40 is far below float32's resolution,
# and 2^40 leaves room for eight million matches of one query.
UNIT = 2.0**40


@dataclass(frozen=True)
class PerQueryMetrics:
    """Ranking figures query by query, [Q] on the device of the input.

    Attributes:
        valid: bool, the query has a match left.
        ap: float64 average precision, NaN where not valid.
        inp: float64 inverse negative penalty, NaN where not valid.
        first_rank: int64 rank of the first match as CMC counts it (from 1), 0 where not valid.
        ranked: int64 length of the list that CMC counts: gallery items left for the query, or
            distinct identities under the rules of SYSU-MM01 and LLCM.
    """

    valid: Tensor
    ap: Tensor
    inp: Tensor
    first_rank: Tensor
    ranked: Tensor


class GalleryIndex:
    """Gallery positions grouped by identity, built once for all blocks.

    Args:
        ids: identity of each gallery item, [G] int64, G >= 1, known on the host.
        cameras: camera of each gallery item, [G] int64, or None.
        device: where the gallery is ranked.
    """

    def __init__(
        self, ids: NDArray[np.int64], cameras: NDArray[np.int64] | None, device: torch.device
    ) -> None:
        unique, group, counts = np.unique(ids, return_inverse=True, return_counts=True)
        order = group.argsort(kind="stable")
        starts = counts.cumsum() - counts
        slot = np.arange(len(ids)) - starts[group[order]]
        # One row for each identity, -1 where it has fewer items than the largest; the last row
        # stays empty and serves queries whose identity is not in the gallery.
        members = np.full((len(unique) + 1, counts.max()), -1, np.int64)
        members[group[order], slot] = order
        self.unique, self.group, self.members = (
            transfers.to_device(values, device) for values in (unique, group, members)
        )
        self.cameras = None if cameras is None else transfers.to_device(cameras, device)

    def members_of(self, query_ids: Tensor) -> Tensor:
        """Gallery positions of each query's identity, [B] -> [B, M] int64, padded with -1."""
        row = torch.searchsorted(self.unique, query_ids).clamp_(max=len(self.unique) - 1)
        row = torch.where(self.unique[row] == query_ids, row, len(self.unique))
        return self.members[row]


def score_block(
    similarity: Tensor,
    query_ids: Tensor,
    query_cameras: Tensor | None,
    index: GalleryIndex,
    *,
    distinct: bool,
) -> tuple[PerQueryMetrics, Tensor]:
    """Ranks the gallery for a block of queries, without waiting for the device.

    Only the places of a query's own identity matter. On the CPU they are counted in one pass; on
    other devices the block is sorted, and a binary search for each of those few items replaces
    further passes. All that follows is the same arithmetic on [B, M].

    Args:
        similarity: [B, G] floating, larger is more similar.
        query_ids: [B] int64.
        query_cameras: [B] int64; items with the query's identity and camera are left out. None:
            nothing is left out.
        index: the G gallery items.
        distinct: ``first_rank`` and ``ranked`` count distinct identities instead of items.

    Returns:
        The scores of the B queries, in their order; and [B] bool, whose similarities hold NaN, so
        that their scores mean nothing.
    """
    gallery_size = similarity.shape[1]
    members = index.members_of(query_ids)
    present = members >= 0
    # Own items in ranked order; the padding goes to the end.
    if transfers.is_host(similarity):
        position, by_rank, broken = counted_positions(similarity, members)
    else:
        places = sorted_positions(similarity, members).masked_fill_(~present, gallery_size)
        position, by_rank = places.sort(dim=1)
        broken = similarity.amax(1).isnan()  # a maximum passes NaN on
    members = members.clamp_(min=0)
    left_out = torch.zeros_like(present)
    if query_cameras is not None and index.cameras is not None:
        left_out = present & (index.cameras[members] == query_cameras[:, None])
    left_out = left_out.gather(1, by_rank)
    kept = (position < gallery_size) & ~left_out
    rank = position + 1 - left_out.cumsum(1)
    hits = kept.cumsum(1)
    matches = hits[:, -1]
    valid = matches > 0

    precision = (hits.double() / rank.double() * UNIT).round_().long().masked_fill_(~kept, 0)
    ap = precision.sum(1).double() / UNIT / matches.double()
    inp = matches.double() / rank.masked_fill(~kept, 0).amax(1).double()
    first = rank.masked_fill(~kept, gallery_size + 1).amin(1)
    ranked = gallery_size - left_out.sum(1)
    if distinct:
        # The first own item that counts; of equal maxima argmax takes the first.
        best = members.gather(1, by_rank).gather(1, kept.int().argmax(1, keepdim=True))
        first = _distinct_rank(similarity, best, index)
        ranked = len(index.unique) - (present.any(1) & ~valid).long()
    scores = PerQueryMetrics(
        valid,
        ap.masked_fill_(~valid, torch.nan),
        inp.masked_fill_(~valid, torch.nan),
        first.masked_fill(~valid, 0),
        ranked,
    )
    return scores, broken


def sorted_positions(similarity: Tensor, members: Tensor) -> Tensor:
    """``counted_positions`` by a sort of the block, on any device.

    From [B, G] floating and [B, M] int64 items, padded with -1, to [B, M] int64 places from 0; they
    have no meaning for the padding.
    """
    similarity = similarity + 0.0  # -0.0 becomes 0.0: device sorts differ in their view of the two
    ordered, order = similarity.sort(dim=1, descending=True, stable=True)
    items = members.clamp(min=0)
    values = similarity.gather(1, items)
    gallery_size = similarity.shape[1]
    low = torch.zeros_like(items)
    high = torch.full_like(items, gallery_size)
    # A binary search over (value falling, item rising).
    for _ in range(gallery_size.bit_length()):
        middle = (low + high).div_(2, rounding_mode="floor").clamp_(max=gallery_size - 1)
        there = ordered.gather(1, middle)
        before = (there > values) | ((there == values) & (order.gather(1, middle) < items))
        low = torch.where(before, middle + 1, low)
        high = torch.where(before, high, middle)
    return low


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
    from ..clustering.threads import run_rows

    position, column = torch.empty_like(members), torch.empty_like(members)
    broken = torch.zeros(len(members), dtype=torch.bool)
    run_rows(
        _compiled_count(),
        len(members),
        similarity.contiguous().numpy(),
        members.contiguous().numpy(),
        position.numpy(),
        column.numpy(),
        broken.numpy(),
    )
    return position, column, broken


@cache
def _compiled_count() -> Callable[..., None]:
    """``_count`` as machine code; Numba is loaded when the first list is ranked, not before."""
    from numba import njit

    # "reassoc" lets the compiler add the counts in any order; small whole numbers stay exact.
    compiled: Callable[..., None] = njit(cache=True, nogil=True, fastmath={"reassoc"})(_count)
    return compiled


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


def _distinct_rank(similarity: Tensor, best: Tensor, index: GalleryIndex) -> Tensor:
    """Rank of each query's best own item [B, 1] among distinct identities, [B].

    Own items ahead of it are such that do not count.
    """
    best_similarity = similarity.gather(1, best)
    place = torch.arange(similarity.shape[1], device=similarity.device)
    ahead = (similarity > best_similarity) | ((similarity == best_similarity) & (place < best))
    counts = torch.zeros(
        (len(similarity), len(index.unique)), dtype=torch.int32, device=similarity.device
    )
    counts.index_add_(1, index.group, ahead.int())
    counts.scatter_(1, index.group[best], 0)
    return (counts > 0).sum(1) + 1
