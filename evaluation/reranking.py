"""k-reciprocal re-ranking of a test split, block of queries by block of queries.

Source: Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017,
section 3. It looks at the whole test split at once, so a result with it says so.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from .. import transfers
from ..clustering.feature_check import exact_matmul, unit_rows
from ..clustering.neighbours import nearest_neighbours
from ..clustering.reciprocal import reciprocal_weights
from ..clustering.threads import run_rows
from .similarity import Similarity

BLOCK_SIMILARITIES = 1 << 24


def rerank(
    query: Tensor, gallery: Tensor, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> RerankedSimilarity:
    """Re-ranks: the k-reciprocal similarity between all queries and gallery items.

    Queries and gallery are one set. Squared Euclidean distances of unit rows, each row divided by
    its largest, weigh the expanded k-reciprocal sets (lists of k1 + 1 with the row itself, half
    lists round(k1/2) + 1) by exp(−distance); weights are averaged over the first k2 rows; the
    final distance is (1 − weight)·Jaccard + weight·distance, and the similarity its negative. No
    matrix of all pairs is formed; memory grows with the features and the lists.

    Args:
        query: ``[Q, D]`` floating point, scaled to unit rows here.
        gallery: ``[G, D]`` floating point.
        k1: neighbours that make a reciprocal set, at least 1.
        k2: neighbours of the query expansion, at least 1.
        weight: share of the original distance (λ of the paper), 0 to 1.

    Returns:
        The similarity, for ``rank_metrics`` or to be asked for rows.

    Raises:
        ValueError: bad features, different widths, or a setting out of range.
    """
    if k1 < 1 or k2 < 1 or not 0 <= weight <= 1:
        raise ValueError(
            "expected k1 and k2 of at least 1 and a weight from 0 to 1, found "
            f"k1 = {k1}, k2 = {k2}, weight = {weight}"
        )
    left, right = unit_rows(query, "query"), unit_rows(gallery, "gallery")
    if left.shape[1] != right.shape[1]:
        raise ValueError(
            f"expected features of one width, found {left.shape[1]} (query) and "
            f"{right.shape[1]} (gallery)"
        )
    unit = torch.cat([left, right])
    farthest = _farthest(unit)
    similarity, index = nearest_neighbours(unit, max(k1 + 1, k2))
    half = round(k1 / 2) + 1  # Python rounds ties to even, as wanted
    scale = transfers.to_host(farthest)
    weights = reciprocal_weights(unit, similarity, index, k1 + 1, half, k2, scale=scale)
    return RerankedSimilarity(unit, len(left), farthest, weights, weight)


class RerankedSimilarity(Similarity):
    """Negative distances ``[Q, G]``, computed when rows are asked for; made by :func:`rerank`."""

    def __init__(
        self,
        unit: Tensor,
        queries: int,
        farthest: Tensor,
        weights: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]],
        weight: float,
    ) -> None:
        self.shape = (queries, len(unit) - queries)
        self.device = unit.device
        self._query, self._gallery = unit[:queries], unit[queries:]
        self._farthest = farthest[:queries]
        self._weights, self._weight = weights, weight
        pointer, column, value = weights
        rows = sparse.csr_array((value, column, pointer), shape=(len(unit), len(unit)))
        self._by_column = rows[queries:].tocsc()

    def rows(self, chosen: Tensor | slice) -> Tensor:
        """Similarities of some queries, ``[B, G]`` float32 on the device of the features."""
        device = self.device
        everyone = np.arange(self.shape[0])
        places = everyone[chosen if isinstance(chosen, slice) else transfers.to_host(chosen)]
        numbers = transfers.to_device(places, device)
        jaccard = np.ones((len(places), self.shape[1]), np.float32)
        inverse = self._by_column
        run_rows(
            _jaccard_rows,
            len(places),
            places,
            *self._weights,
            *(inverse.indptr, inverse.indices, inverse.data),
            jaccard,
        )
        with exact_matmul(device):
            distance = (2 - 2 * self._query[numbers] @ self._gallery.T).clamp_min(0)
        distance /= self._farthest[numbers, None]
        distance.mul_(self._weight).add_(
            transfers.to_device(jaccard, device), alpha=1 - self._weight
        )
        return distance.neg_()


def _farthest(unit: Tensor) -> Tensor:
    """Largest squared distance of each row to any, ``[N]``; 1 where all rows are the same."""
    step = max(1, BLOCK_SIMILARITIES // len(unit))
    with exact_matmul(unit.device):
        blocks = [(unit[a : a + step] @ unit.T).amin(1) for a in range(0, len(unit), step)]
    farthest = 2 - 2 * torch.cat(blocks)
    return torch.where(farthest > 1e-6, farthest, torch.ones_like(farthest))


@njit(cache=True, nogil=True)
def _jaccard_rows(
    start: int,
    stop: int,
    numbers: NDArray[np.int64],
    pointer: NDArray[np.int64],
    column: NDArray[np.int32],
    value: NDArray[np.float32],
    inverse_pointer: NDArray[np.integer],
    inverse_row: NDArray[np.integer],
    inverse_value: NDArray[np.float32],
    jaccard: NDArray[np.float32],
) -> None:
    """Jaccard distances of queries to the gallery; ``jaccard`` comes filled with 1."""
    total = np.zeros(jaccard.shape[1], np.float64)
    touched = np.empty(jaccard.shape[1], np.int64)
    for n in range(start, stop):
        size = 0
        for e in range(pointer[numbers[n]], pointer[numbers[n] + 1]):
            own = value[e]
            for p in range(inverse_pointer[column[e]], inverse_pointer[column[e] + 1]):
                item = inverse_row[p]
                if total[item] == 0.0:
                    touched[size] = item
                    size += 1
                total[item] += min(own, inverse_value[p])
        for t in range(size):
            item = touched[t]
            jaccard[n, item] = 1.0 - total[item] / (2.0 - total[item])
            total[item] = 0.0
