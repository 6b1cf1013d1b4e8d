"""Nearest neighbours by cosine, the first station of clustering."""

from __future__ import annotations

import logging
from typing import Literal, get_args

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .bf16_search import bf16_neighbours, has_bf16_units
from .faiss_search import flat_neighbours, gpu_trial, ivf_neighbours
from .feature_check import exact_matmul, unit_rows
from .tiled_search import tiled_neighbours

Backend = Literal["auto", "tiled", "bf16", "torch", "faiss", "ivf"]
ANY_DEVICE = ("torch", "faiss")
BLOCK_SIMILARITIES = 1 << 26

logger = logging.getLogger(__name__)


def nearest_neighbours(
    features: Tensor | ArrayLike, k: int, *, backend: Backend = "auto"
) -> tuple[Tensor, Tensor]:
    """Finds for every row the k rows of highest cosine, the row itself first.

    All back ends but ``ivf`` are exact and name the same neighbours where no two similarities are
    equal up to float32 rounding. ``tiled`` gives ties to the lower index; the others order the list
    so, but leave open which of several equal rows at its end they take. No N×N array is formed.

    Args:
        features: ``[N, D]`` floating point tensor or array, scaled to unit rows here.
        k: list length, at least 1; shorter lists come back where N < k.
        backend: ``tiled`` (CPU, half the products), ``bf16`` (the same, chosen in bf16 and decided
            in float32), ``torch`` (matmul + top-k on any device), ``faiss`` (flat index; on
            CUDA only where faiss-gpu passes a trial, else ``torch`` and a line in the log);
            ``ivf`` is approximate (FAISS's inverted lists, CPU), for more than about a million
            rows, and logs its measured recall. ``auto`` is ``tiled`` on the CPU (``bf16`` where it
            has matrix units for that) and ``torch`` elsewhere, where nothing leaves the device.

    Returns:
        Similarity ``[N, min(k, N)]`` float32, falling, and indices of the same shape, int64;
        both on the device of the features. Column 0 is the row itself, also among duplicates.

    Raises:
        ValueError: bad features (see ``unit_rows``), k < 1, a back end that does not exist or
            does not run on the device of the features.
    """
    if k < 1:
        raise ValueError(f"k: expected at least 1 (the sample itself), found {k}")
    if backend not in get_args(Backend):
        raise ValueError(f"backend: expected one of {get_args(Backend)}, found {backend!r}")
    unit = unit_rows(features)
    k = min(k, len(unit))
    on_cpu = unit.device.type == "cpu"
    if backend == "auto":
        backend = ("bf16" if has_bf16_units() else "tiled") if on_cpu else "torch"
    if backend not in ANY_DEVICE and not on_cpu:
        raise ValueError(
            f"backend {backend!r} runs on the CPU, the features lie on {unit.device}; use 'torch'"
        )
    if backend == "faiss" and not on_cpu and (reason := gpu_trial()) is not None:
        logger.warning("faiss-gpu does not work (%s): matmul + top-k of torch is used", reason)
        backend = "torch"
    own = torch.arange(len(unit), device=unit.device)[:, None]
    own_similarity = torch.linalg.vector_norm(unit, dim=1, keepdim=True).square()
    if k == 1:
        return own_similarity, own
    with exact_matmul(unit.device):
        similarity, index = SEARCH[backend](unit, k)
    if backend not in ("tiled", "bf16"):
        similarity, index = _ordered(similarity, index)
    return torch.cat([own_similarity, similarity], 1), torch.cat([own, index], 1)


def _torch_neighbours(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Blocked matmul + top-k, on any device."""
    count = len(features)
    step = max(1, BLOCK_SIMILARITIES // count)
    similarities, indices = [], []
    for start in range(0, count, step):
        block = features[start : start + step] @ features.T
        rows = torch.arange(len(block), device=block.device)
        block[rows, start + rows] = -torch.inf
        similarity, index = block.topk(k - 1)
        similarities.append(similarity)
        indices.append(index)
    return torch.cat(similarities), torch.cat(indices)


SEARCH = {
    "tiled": tiled_neighbours,
    "bf16": bf16_neighbours,
    "torch": _torch_neighbours,
    "faiss": flat_neighbours,
    "ivf": ivf_neighbours,
}


def _ordered(similarity: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Orders each list by falling similarity, then by rising index."""
    index, by_index = index.sort(1)
    similarity, by_similarity = similarity.gather(1, by_index).sort(
        dim=1, descending=True, stable=True
    )
    return similarity, index.gather(1, by_similarity)
