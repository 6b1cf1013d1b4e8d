"""Nearest neighbours by cosine, the first station of clustering."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .feature_check import exact_matmul, unit_rows


def nearest_neighbours(
    features: Tensor | ArrayLike, k: int, *, approximate: bool = False
) -> tuple[Tensor, Tensor]:
    """Finds for every row the k rows of highest cosine, the row itself first.

    Exact, block by block: no N×N array is formed. On the CPU every pair is multiplied once, and of
    equal similarities the lower index is taken; on a GPU, which of several equals end a list is
    left open. A similarity is a float32 sum of D products, in an order that the processor and its
    number of threads choose: two runs agree to D·2⁻²³, and name the same neighbours wherever
    similarities lie farther apart than that.

    Args:
        features: ``[N, D]`` floating point tensor or array, scaled to unit rows here.
        k: list length, at least 1; shorter lists come back where N < k.
        approximate: search in FAISS's inverted lists (CPU), for more than about a million rows;
            the measured recall is logged.

    Returns:
        Similarity ``[N, min(k, N)]`` float32, falling, and indices of the same shape, int64;
        both on the device of the features. Column 0 is the row itself, also among duplicates.

    Raises:
        ValueError: bad features (see ``unit_rows``), k < 1, an approximate search on a GPU.
    """
    if k < 1:
        raise ValueError(f"k: expected at least 1 (the sample itself), found {k}")
    unit = unit_rows(features)
    if approximate and unit.device.type != "cpu":
        raise ValueError(
            f"the approximate search runs on the CPU, the features lie on {unit.device}: "
            "move them with .cpu(), or search exactly"
        )
    k = min(k, len(unit))
    own = torch.arange(len(unit), device=unit.device)[:, None]
    own_similarity = torch.linalg.vector_norm(unit, dim=1, keepdim=True).square()
    if k == 1:
        return own_similarity, own
    with exact_matmul(unit.device):
        similarity, index = _search(unit, k, approximate)
    return torch.cat([own_similarity, similarity], 1), torch.cat([own, index], 1)


def _search(unit: Tensor, k: int, approximate: bool) -> tuple[Tensor, Tensor]:
    # Imported when used: FAISS and compiled loops are slow to load.
    if approximate:
        from .ivf_search import ivf_neighbours

        return ivf_neighbours(unit, k)
    if unit.device.type == "cpu":
        from .tiled_search import tiled_neighbours

        return tiled_neighbours(unit, k)
    from .matmul_search import matmul_neighbours

    return matmul_neighbours(unit, k)
