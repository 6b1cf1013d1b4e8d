"""Exact neighbours from bf16 products: a coarse choice, decided and proved in float32."""

from __future__ import annotations

import torch
from torch import Tensor

from .jaccard_kernels import pair_similarity
from .threads import run_rows
from .tiled_search import tiled_neighbours

SPARE = 16  # candidates beyond twice the list
# A product is rounded to bf16 (8 bits) and summed in float32.
ROUNDING = 2.0**-8
SUM_ERROR = 1e-5
BLOCK_SIMILARITIES = 1 << 24


def has_bf16_units() -> bool:
    """Whether this CPU multiplies bf16 matrices in units of their own (AMX).

    Without them bf16 products are slower than float32 ones.
    """
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe is not None and probe())


def bf16_neighbours(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Same result as ``tiled_neighbours``, with all pairs multiplied in bf16.

    Twice as many candidates as wanted are found in bf16 and compared in float32. What bf16
    can be wrong by is bounded by the lengths that rounding takes from the rows (Cauchy-Schwarz),
    so each list can be proved: if the last of the wanted lies higher than any row that is no
    candidate possibly can, nothing was missed. Rows without this proof are searched in float32.

    Args:
        features: unit rows ``[N, D]``, float32, contiguous, on the CPU.
        k: list length with the row itself, 2 ≤ k ≤ N.

    Returns:
        Similarity ``[N, k − 1]`` float32, falling, and indices ``[N, k − 1]`` int64.
    """
    count = len(features)
    wide = 2 * k + SPARE
    if wide >= count:
        return tiled_neighbours(features, k)
    narrow = features.bfloat16()
    coarse, candidate = tiled_neighbours(narrow, wide)
    lost = torch.linalg.vector_norm(features - narrow.float(), dim=1)
    highest = coarse[:, -1] + ROUNDING * coarse[:, -1].abs() + lost + lost.max() + SUM_ERROR

    candidate = candidate.sort(1).values  # a stable sort then gives ties to the lower index
    exact = torch.empty(candidate.shape)
    left = torch.arange(count, dtype=torch.int32).repeat_interleave(candidate.shape[1])
    right = candidate.flatten().to(torch.int32)
    run_rows(
        pair_similarity,
        len(left),
        features.numpy(),
        left.numpy(),
        right.numpy(),
        exact.view(-1).numpy(),
    )
    similarity, order = exact.sort(dim=1, descending=True, stable=True)
    similarity, index = similarity[:, : k - 1], candidate.gather(1, order[:, : k - 1])
    doubtful = (similarity[:, -1] <= highest).nonzero().flatten()
    similarity[doubtful], index[doubtful] = search_rows(features, doubtful, k)
    return similarity.contiguous(), index


def search_rows(features: Tensor, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k − 1 most similar other rows of some rows, by a full look in float32.

    Args:
        features: unit rows ``[N, D]``, float32.
        rows: ``[R]`` numbers of the rows to search for.
        k: list length with the row itself, 2 ≤ k ≤ N.

    Returns:
        Similarity ``[R, k − 1]``, falling, and indices ``[R, k − 1]``; the lower index first
        among equals.
    """
    step = max(1, BLOCK_SIMILARITIES // len(features))
    similarity = features.new_empty(len(rows), k - 1)
    index = rows.new_empty(len(rows), k - 1)
    for start in range(0, len(rows), step):
        chosen = rows[start : start + step]
        block = features[chosen] @ features.T
        block.scatter_(1, chosen[:, None], -torch.inf)
        found, order = block.sort(dim=1, descending=True, stable=True)
        similarity[start : start + step] = found[:, : k - 1]
        index[start : start + step] = order[:, : k - 1]
    return similarity, index
