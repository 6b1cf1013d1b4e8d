"""Exact nearest neighbours by blocked products and top-k, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK_SIMILARITIES = 1 << 26


def matmul_neighbours(
    features: Tensor, k: int, missing: Tensor | None = None, rows: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Finds the k − 1 most similar *other* rows of all rows, or of some.

    Args:
        features: ``[N, D]`` no longer than 1, float32.
        k: list length with the row itself, 2 ≤ k ≤ N.
        missing: ``[N]``, see ``missing_length``; None for unit rows.
        rows: ``[R]`` numbers of the rows to search for; None: all.

    Returns:
        Similarity ``[R, k − 1]``, falling, and indices ``[R, k − 1]`` int64, on the device of the
        features. Equals within a list go by rising index; which of several equals at its end are
        taken is left open.
    """
    if rows is None:
        rows = torch.arange(len(features), device=features.device)
    step = max(1, BLOCK_SIMILARITIES // len(features))
    lists = [_block(features, rows[a : a + step], k, missing) for a in range(0, len(rows), step)]
    similarity, index = (torch.cat(part) for part in zip(*lists, strict=True))
    index, by_index = index.sort(1)
    similarity, order = similarity.gather(1, by_index).sort(dim=1, descending=True, stable=True)
    return similarity, index.gather(1, order)


def _block(features: Tensor, rows: Tensor, k: int, missing: Tensor | None) -> tuple[Tensor, Tensor]:
    similarity = features[rows] @ features.T
    if missing is not None:
        similarity.add_(missing).add_(missing[rows, None])
    similarity.scatter_(1, rows[:, None], -torch.inf)
    return similarity.topk(k - 1)
