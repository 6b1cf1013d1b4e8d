"""What can be said of a clustering and a matching without knowing any identity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import adjusted_rand_score
from torch import Tensor
from torch.nn import functional

from .. import transfers
from ..clustering.feature_check import exact_matmul

Integers = NDArray[np.int64]
BLOCK_ENTRIES = 1 << 22


def stability(before: ArrayLike, after: ArrayLike) -> float:
    """Adjusted Rand index of two clusterings of the same samples, over those clustered in both.

    Args:
        before, after: [N] integers, -1 = noise.

    Returns:
        At most 1 (the same clusters), about 0 for unrelated ones; NaN with fewer than two samples
        that both clusterings place.

    Raises:
        ValueError: the lengths differ.
    """
    first, second = np.asarray(before), np.asarray(after)
    if first.shape != second.shape:
        raise ValueError(
            f"both clusterings must be of the same samples; got {first.shape} and {second.shape}"
        )
    both = (first >= 0) & (second >= 0)
    return float(adjusted_rand_score(first[both], second[both])) if both.sum() > 1 else math.nan


def silhouettes(features: Tensor | ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Simplified silhouette of each sample, against cluster means instead of all other samples.

    With d = 1 - cosine, a = d to the mean of the sample's own cluster without itself and b = d to
    the nearest other cluster's mean, it is (b - a) / max(a, b): 1 for a sample in the heart of a
    cluster that stands apart, below 0 for one that lies nearer to another cluster. A cluster of one
    sample scores 0, as in Rousseeuw, "Silhouettes", 1987.

    Args:
        features: [N, D] floating, of about the same length; a tensor on any device.
        labels: [N] integers, -1 = noise.

    Returns:
        [N] in [-1, 1]; NaN for noise, and for all with fewer than two clusters.

    Raises:
        ValueError: the lengths differ.
    """
    rows: Tensor | NDArray[Any]
    if isinstance(features, Tensor) and not transfers.is_host(features):
        rows = features
    else:
        rows = transfers.host_array(features)
    found = np.asarray(labels)
    if rows.ndim != 2 or found.shape != (len(rows),):
        raise ValueError(
            f"expected features [N, D] and labels [N]; got {tuple(rows.shape)} and {found.shape}"
        )
    result = np.full(len(rows), math.nan)
    kept = np.flatnonzero(found >= 0)
    clusters, own = np.unique(found[kept], return_inverse=True)
    if len(clusters) < 2:
        return result
    if isinstance(rows, Tensor):
        scores = transfers.to_host(_scores(transfers.rows_at(rows, kept), own, len(clusters)))
        result[kept] = np.where(np.bincount(own)[own] > 1, scores, 0.0)
        return result
    sums = np.zeros((len(clusters), rows.shape[1]), np.float32)
    for cluster in range(len(clusters)):
        sums[cluster] = rows[kept[own == cluster]].sum(0, dtype=np.float32)
    sizes = np.bincount(own)
    means = _unit(sums)
    step = max(1, BLOCK_ENTRIES // max(rows.shape[1], len(clusters)))
    for start in range(0, len(kept), step):
        part, mine = kept[start : start + step], own[start : start + step]
        block = rows[part].astype(np.float32)
        unit = _unit(block)
        away = 1 - unit @ means.T
        away[np.arange(len(part)), mine] = np.inf
        nearest = away.min(1)
        inside = 1 - (unit * _unit(sums[mine] - block)).sum(1)
        larger = np.maximum(np.maximum(inside, nearest), 1e-12)
        result[part] = np.where(sizes[mine] > 1, (nearest - inside) / larger, 0.0)
    return result


def _scores(rows: Tensor, own: Integers, clusters: int) -> Tensor:
    """:func:`silhouettes` of clustered rows on a device, [N]; a cluster of one is not looked at."""
    rows = rows.detach().float()
    sums = transfers.group_sums(rows, own, clusters)
    means = functional.normalize(sums, dim=1)
    mine = transfers.to_device(own, rows.device)
    step = max(1, BLOCK_ENTRIES // max(rows.shape[1], clusters))
    parts = []
    with exact_matmul(rows.device):
        for block, home in zip(rows.split(step), mine.split(step)):
            unit = functional.normalize(block, dim=1)
            away = (1 - unit @ means.T).scatter_(1, home[:, None], torch.inf)
            nearest = away.amin(1)
            inside = 1 - (unit * functional.normalize(sums[home] - block, dim=1)).sum(1)
            parts.append((nearest - inside) / torch.maximum(inside, nearest).clamp_min(1e-12))
    return torch.cat(parts)


def mean_silhouette(features: Tensor | ArrayLike, labels: ArrayLike) -> float:
    """Mean of :func:`silhouettes` over the samples that have one; NaN where none has."""
    scores = silhouettes(features, labels)
    return float(scores[~np.isnan(scores)].mean()) if np.isfinite(scores).any() else math.nan


def shared_clusters(labels: ArrayLike, modalities: ArrayLike) -> float:
    """Share of clusters that hold samples of more than one modality; NaN without a cluster."""
    found, given = np.asarray(labels), np.asarray(modalities)
    kept = found >= 0
    pairs = np.unique(np.stack([found[kept], given[kept]]), axis=1)
    counts = np.unique(pairs[0], return_counts=True)[1]
    return float((counts > 1).mean()) if len(counts) else math.nan


def matching_margins(cost: ArrayLike) -> NDArray[np.float64]:
    """How much cheaper the cheapest partner is than the second, for each row of a cost matrix.

    Args:
        cost: [V, I] costs, at least 0.

    Returns:
        [V] values (second - best) / second in [0, 1], 0 where both are equal; empty with fewer than
        two columns.
    """
    matrix = np.asarray(cost, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        return np.zeros(0)
    best, second = np.partition(matrix, 1, axis=1)[:, :2].T
    share = np.zeros(len(matrix))
    np.divide(second - best, second, out=share, where=second > 0)
    return share


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), np.float32)
