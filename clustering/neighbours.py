"""Nearest neighbours by Euclidean distance, the first station of clustering."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import transfers
from .feature_check import bounded_rows, exact_matmul, missing_length


def nearest_neighbours(
    features: Tensor | ArrayLike, k: int, *, approximate: bool = False
) -> tuple[Tensor, Tensor]:
    """Finds for every row the k nearest rows by Euclidean distance, the row itself first.

    Among unit rows these are the rows of highest cosine. Exact, block by block: no N×N array is
    formed. On the CPU every pair is multiplied once, in 8-bit digits where the processor is fast
    at that; what their bound leaves in doubt is decided by the float32 sum of (x − y)², in one
    fixed order. So neither the processor nor its number of threads shows in the lists, and of
    equal distances the lower index is taken. On a GPU a similarity is a float32 sum of D products
    in an order of the card's own: within D·2⁻²³ of the CPU's, so that neighbours are the same
    wherever similarities lie farther apart than that; which of several equals end a list is left
    open.

    Args:
        features: ``[N, D]`` floating point tensor or array. Unit rows and means of unit rows are
            taken as they are; if a row is longer than 1 by more than rounding, all are scaled to
            unit rows here. A row of zeros counts as a unit row orthogonal to all.
        k: list length, at least 1; shorter lists come back where N < k.
        approximate: search in FAISS's inverted lists (CPU), for more than about a million rows;
            the measured recall is logged.

    Returns:
        Similarity 1 − d²/2 with the distance d, the cosine of unit rows, ``[N, min(k, N)]``
        float32, falling, and indices of the same shape, int64; both on the device of the
        features. Column 0 is the row itself, also among duplicates.

    Raises:
        ValueError: bad features (see ``bounded_rows``), k < 1, an approximate search on a GPU.
    """
    if k < 1:
        raise ValueError(f"k: expected at least 1 (the sample itself), found {k}")
    rows = bounded_rows(features)
    if approximate and rows.device.type != "cpu":
        raise ValueError(
            f"the approximate search runs on the CPU, the features lie on {rows.device}: "
            "move them with .cpu(), or search exactly"
        )
    k = min(k, len(rows))
    missing = missing_length(rows)
    own = torch.arange(len(rows), device=rows.device)[:, None]
    own_similarity = torch.linalg.vector_norm(rows, dim=1, keepdim=True).square()
    if missing is not None:
        own_similarity += 2 * missing[:, None]
    if k == 1:
        return own_similarity, own
    with exact_matmul(rows.device):
        similarity, index = _search(rows, missing, k, approximate)
    return torch.cat([own_similarity, similarity], 1), torch.cat([own, index], 1)


def _search(
    rows: Tensor, missing: Tensor | None, k: int, approximate: bool
) -> tuple[Tensor, Tensor]:
    # Imported when used: FAISS and compiled loops are slow to load.
    if approximate:
        from .ivf_search import ivf_neighbours

        return ivf_neighbours(rows, k, missing)
    if transfers.is_host(rows):
        from .tiled_search import tiled_neighbours

        return tiled_neighbours(rows, k)
    from .matmul_search import matmul_neighbours

    return matmul_neighbours(rows, k, missing)
