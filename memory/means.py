"""Prototypes to start a memory with: means of the clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

from .. import transfers
from .validation import memory_dtype


def cluster_means(
    features: Tensor, labels: Tensor | ArrayLike, num_clusters: int | None = None
) -> Tensor:
    """L2-normalised mean of the features of each cluster.

    Args:
        features: ``[N, D]``, used as they are; half precision is computed in float32.
        labels: ``[N]`` integers, 0 … C − 1; negative is noise and ignored.
        num_clusters: C; the highest label + 1 if None.

    Returns:
        ``[C, D]`` unit rows on the features' device.

    Raises:
        ValueError: shapes that do not fit, a cluster without a sample, a label beyond C − 1.
    """
    means, counts = _plain_means(features, transfers.host_array(labels), num_clusters)
    _require_samples(counts)
    return functional.normalize(means, dim=1)


def joint_prototypes(
    features: Tensor, labels: Tensor | ArrayLike, modality: Tensor | ArrayLike
) -> Tensor:
    """Prototypes of joint clusters: the mean of the modalities' means, or the one that there is.

    Both modalities weigh the same, however many samples each has in the cluster. Clusters of one
    modality have a prototype too, so that they serve as negatives. Source: stage one of MMM.

    Args:
        features: ``[N, D]`` of both modalities, used as they are; half precision is computed in
            float32.
        labels: ``[N]`` integers, 0 … C − 1; negative is noise and ignored.
        modality: ``[N]`` integers, any two codes.

    Returns:
        ``[C, D]`` unit rows on the features' device.

    Raises:
        ValueError: shapes that do not fit, more than two modalities, or a cluster without a
            sample.
    """
    found, side = transfers.host_array(labels), transfers.host_array(modality)
    if side.shape != found.shape:
        raise ValueError(
            f"modality: expected one code for each of {len(found)} samples, found shape "
            f"{side.shape}"
        )
    codes = np.unique(side)
    if len(codes) > 2:
        raise ValueError(f"modality: expected two codes, found {codes.tolist()}")
    total = int(found.max(initial=-1)) + 1
    mine = side == codes[:1]
    first, first_count = _plain_means(features, np.where(mine, found, -1), total)
    second, second_count = _plain_means(features, np.where(mine, -1, found), total)
    _require_samples(first_count + second_count)
    # A side without a sample adds zeros, and the length is set to 1 whatever the divisor.
    return functional.normalize(first + second, dim=1)


def _require_samples(counts: NDArray[np.int64]) -> None:
    """Refuses clusters [C] of no sample."""
    if (counts == 0).any():
        empty = np.flatnonzero(counts == 0).tolist()
        raise ValueError(
            f"labels: clusters {empty[:10]} of {len(counts)} have no sample; number the clusters "
            "0 … C-1 without gaps"
        )


def _plain_means(
    features: Tensor, labels: NDArray[np.integer], num_clusters: int | None
) -> tuple[Tensor, NDArray[np.int64]]:
    """Means ``[C, D]`` (zero for an empty cluster) and counts ``[C]``."""
    if features.ndim != 2 or labels.shape != tuple(features.shape[:1]):
        raise ValueError(
            f"expected features [N, D] and labels [N], found {tuple(features.shape)} and "
            f"{labels.shape}"
        )
    features = features.detach().to(memory_dtype(features.dtype))
    highest = int(labels.max(initial=-1))
    count = highest + 1 if num_clusters is None else num_clusters
    if highest >= count:
        raise ValueError(f"labels: found {highest}, expected at most {count - 1}")
    kept = np.flatnonzero(labels >= 0)
    counts = np.bincount(labels[kept], minlength=count)
    sums = transfers.group_sums(transfers.rows_at(features, kept), labels[kept], count)
    return sums / transfers.to_device(np.maximum(counts, 1), sums.device)[:, None], counts
