"""Prototypes to start a memory with: means of the clusters."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..transfer import to_device
from .validation import memory_dtype


def cluster_means(features: Tensor, labels: Tensor, num_clusters: int | None = None) -> Tensor:
    """L2-normalised mean of the features of each cluster.

    Args:
        features: ``[N, D]``, used as they are; half precision is computed in float32.
        labels: ``[N]`` integers, 0 … C − 1; negative is noise and ignored. On the CPU nothing
            waits for the device of the features.
        num_clusters: C; the highest label + 1 if None.

    Returns:
        ``[C, D]`` unit rows on the features' device.

    Raises:
        ValueError: shapes that do not fit, a cluster without a sample, a label beyond C − 1.
    """
    means, counts = _plain_means(features, labels, num_clusters)
    _require_samples(counts)
    return functional.normalize(means, dim=1)


def joint_prototypes(features: Tensor, labels: Tensor, modality: Tensor) -> Tensor:
    """Prototypes of joint clusters: the mean of the modalities' means, or the one that there is.

    Both modalities weigh the same, however many samples each has in the cluster. Clusters of one
    modality have a prototype too, so that they serve as negatives. Source: stage one of MMM.

    Args:
        features: ``[N, D]`` of both modalities, used as they are; half precision is computed in
            float32.
        labels: ``[N]`` integers, 0 … C − 1; negative is noise and ignored. On the CPU nothing
            waits for the device of the features.
        modality: ``[N]`` integers, any two codes; on the CPU, too.

    Returns:
        ``[C, D]`` unit rows on the features' device.

    Raises:
        ValueError: shapes that do not fit, more than two modalities, or a cluster without a
            sample.
    """
    if modality.shape != labels.shape:
        raise ValueError(
            f"modality: expected one code for each of {len(labels)} samples, found shape "
            f"{tuple(modality.shape)}"
        )
    labels, modality = labels.cpu(), modality.cpu()
    codes = torch.unique(modality)
    if len(codes) > 2:
        raise ValueError(f"modality: expected two codes, found {codes.tolist()}")
    total = max(int(labels.max()) + 1, 0) if len(labels) else 0
    first, first_count = _plain_means(features, labels.where(modality == codes[:1], -1), total)
    second, second_count = _plain_means(features, labels.where(modality != codes[:1], -1), total)
    _require_samples(first_count + second_count)
    # A side without a sample adds zeros, and the length is set to 1 whatever the divisor.
    return functional.normalize(first + second, dim=1)


def _require_samples(counts: Tensor) -> None:
    """Refuses clusters [C] of no sample."""
    if (counts == 0).any():
        empty = (counts == 0).nonzero().flatten().tolist()
        raise ValueError(
            f"labels: clusters {empty[:10]} of {len(counts)} have no sample; number the clusters "
            "0 … C-1 without gaps"
        )


def _plain_means(
    features: Tensor, labels: Tensor, num_clusters: int | None
) -> tuple[Tensor, Tensor]:
    """Means ``[C, D]`` (zero for an empty cluster) and, on the CPU, counts ``[C]``."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"expected features [N, D] and labels [N], found {tuple(features.shape)} and "
            f"{tuple(labels.shape)}"
        )
    features = features.detach().to(memory_dtype(features.dtype))
    labels = labels.cpu()  # read here, where the host waits for nothing
    highest = int(labels.max()) if len(labels) else -1
    count = highest + 1 if num_clusters is None else num_clusters
    count = max(count, 0)
    if highest >= count:
        raise ValueError(f"labels: found {highest}, expected at most {count - 1}")
    kept = (labels >= 0).nonzero().squeeze(1)
    counts = torch.bincount(labels[kept], minlength=count)
    rows, device = labels[kept], features.device
    sums = features.new_zeros(count, features.shape[1])
    sums.index_add_(0, to_device(rows, device), features[to_device(kept, device)])
    return sums / to_device(counts.clamp_min(1), device)[:, None], counts
