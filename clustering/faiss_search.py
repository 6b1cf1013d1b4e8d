"""Nearest neighbours by FAISS: flat on CPU or GPU, and approximate by inverted lists."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
from functools import cache

import torch
from torch import Tensor

from .bf16_search import search_rows

LISTS_PER_ROOT = 4  # inverted lists: this many times √N
ROWS_PER_LIST = 39  # FAISS wants as many to place a list
PROBED = 32
JUDGED = 500  # rows on which the recall is measured
TRIAL_SECONDS = 120

# In a process of its own: a GPU build that does not fit its CUDA often dies instead of raising.
TRIAL = """
import faiss, numpy
rows = numpy.eye(4, dtype="float32")
index = faiss.GpuIndexFlatIP(faiss.StandardGpuResources(), 4)
index.add(rows)
assert (index.search(rows, 1)[1][:, 0] == range(4)).all(), "a tiny search went wrong"
"""

logger = logging.getLogger(__name__)


def flat_neighbours(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """FAISS's flat inner-product index, on the device of the features.

    Args:
        features: unit rows ``[N, D]``, float32; on CUDA only where ``gpu_trial`` found no fault.
        k: list length with the row itself, 2 ≤ k ≤ N.

    Returns:
        Similarity ``[N, k − 1]`` and indices ``[N, k − 1]`` of other rows, falling.
    """
    import faiss

    if features.is_cuda:
        import faiss.contrib.torch_utils

        found, names = faiss.knn_gpu(
            faiss.StandardGpuResources(),
            features,
            features,
            k,
            metric=faiss.METRIC_INNER_PRODUCT,
        )
    else:
        index = faiss.IndexFlatIP(features.shape[1])
        index.add(features.numpy())
        found, names = (torch.from_numpy(a) for a in index.search(features.numpy(), k))
    return _others(found, names)


def ivf_neighbours(features: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Approximate: looks only into the inverted lists nearest to each row (FAISS IVF, flat).

    The share of true neighbours that it finds is measured on some rows and logged as a warning.

    Args:
        features: unit rows ``[N, D]``, float32, on the CPU.
        k: list length with the row itself, 2 ≤ k ≤ N.

    Returns:
        Similarity ``[N, k − 1]`` and indices ``[N, k − 1]`` of other rows, falling.
    """
    import faiss

    count, width = features.shape
    lists = max(1, min(int(LISTS_PER_ROOT * math.sqrt(count)), count // ROWS_PER_LIST))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.nprobe = min(PROBED, lists)
    index.train(features.numpy())
    index.add(features.numpy())
    found, names = (torch.from_numpy(a) for a in index.search(features.numpy(), k))
    similarity, neighbours = _others(found, names)
    short = (names < 0).any(1).nonzero().flatten()
    similarity[short], neighbours[short] = search_rows(features, short, k)

    judged = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:JUDGED]
    _, wanted = search_rows(features, judged, k)
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


@cache
def gpu_trial() -> str | None:
    """Tries a tiny search with faiss-gpu in a process of its own, once.

    Returns:
        None if it works, else the reason in one line.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRIAL],
            capture_output=True,
            text=True,
            timeout=TRIAL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"the trial ended with code {done.returncode}"


def _others(found: Tensor, names: Tensor) -> tuple[Tensor, Tensor]:
    """Takes the row itself out of its list of k."""
    count, k = names.shape
    own = names == torch.arange(count, device=names.device)[:, None]
    # Among more than k duplicates the row itself may be missing: the last one makes room.
    own[:, -1] |= ~own.any(1)
    shape = (count, k - 1)
    return found[~own].view(shape), names[~own].view(shape)
