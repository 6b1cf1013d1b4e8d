"""Approximate nearest neighbours by FAISS's inverted lists, for millions of rows."""

from __future__ import annotations

import logging
import math

import torch
from torch import Tensor

from .matmul_search import matmul_neighbours

LISTS_PER_ROOT = 4  # inverted lists: this many times √N
ROWS_PER_LIST = 39  # FAISS wants as many to place a list
PROBED = 32
JUDGED = 500  # rows on which the recall is measured

logger = logging.getLogger(__name__)


def ivf_neighbours(
    features: Tensor, k: int, missing: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Looks only into the inverted lists nearest to each row (FAISS IVF, flat).

    The share of true neighbours that it finds is measured on some rows and logged as a warning.

    Args:
        features: ``[N, D]`` no longer than 1, float32, on the CPU.
        k: list length with the row itself, 2 ≤ k ≤ N.
        missing: ``[N]``, see ``missing_length``; None for unit rows. With it the search takes a
            copy of the features, one column wider.

    Returns:
        Similarity ``[N, k − 1]`` and indices ``[N, k − 1]`` of other rows, falling.
    """
    import faiss

    stored = asking = features
    if missing is not None:  # (x, 1)·(y, h) = x·y + h: the nearest by one product again
        stored = torch.cat([features, missing[:, None]], 1)
        asking = torch.cat([features, torch.ones_like(missing)[:, None]], 1)
    count, width = stored.shape
    lists = max(1, min(int(LISTS_PER_ROOT * math.sqrt(count)), count // ROWS_PER_LIST))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(PROBED, lists)
    index.train(stored.numpy())
    index.add(stored.numpy())
    found, names = (torch.from_numpy(a) for a in index.search(asking.numpy(), k))
    if missing is not None:
        found += missing[:, None]
    similarity, neighbours = _others(found, names)
    short = (names < 0).any(1).nonzero().flatten()
    if len(short):
        similarity[short], neighbours[short] = matmul_neighbours(features, k, missing, short)

    judged = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:JUDGED]
    _, wanted = matmul_neighbours(features, k, missing, judged)
    hits = (neighbours[judged][:, :, None] == wanted[:, None]).any(2)
    logger.warning(
        "approximate neighbours: recall %.4f of the %d nearest, measured on %d of %d rows "
        "(%d of %d inverted lists probed)",
        float(hits.double().mean()),
        k - 1,
        len(judged),
        count,
        index.nprobe,
        lists,
    )
    return similarity, neighbours


def _others(found: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
    """Takes the row itself out of its list of k."""
    count, k = names.shape
    own = names == torch.arange(count)[:, None]
    # Among more than k duplicates the row itself may be missing: the last one makes room.
    own[:, -1] |= ~own.any(1)
    shape = (count, k - 1)
    return found[~own].view(shape), names[~own].view(shape)
