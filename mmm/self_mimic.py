"""Self-mimic loss (MMM's intra loss): samples imitate the confident part of their own class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Keeps a class without any confident member at its plain mean.
LEAST_WEIGHT = 1e-4


def confident_means(features: Tensor, labels: Tensor, weights: Tensor, count: int) -> Tensor:
    """Confidence-weighted unit means; plain where no member is confident.

    Args:
        features: [N, D] unit features.
        labels: [N] int64, -1 = noise.
        weights: [N] in [0, 1].
        count: number of classes C.

    Returns:
        [C, D] unit rows; zeros for a class without a member.
    """
    kept = labels >= 0
    sums = features.new_zeros(count, features.shape[1])
    sums.index_add_(0, labels[kept], features[kept] * (weights[kept, None] + LEAST_WEIGHT))
    return F.normalize(sums, dim=1)


def squared_mimic(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean squared Euclidean distance to the confident memory (MMM, the paper).

    Args:
        embeddings: [B, D], normalised here.
        targets: [B, D] unit rows.
    """
    distance = F.normalize(embeddings.float(), dim=1) - targets
    return distance.square().sum(1).mean()


def absolute_mimic(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference to the class prototypes (MMM, the released code).

    Args:
        embeddings: [B, D], normalised here.
        targets: [B, D] unit rows; a row of zeros is a class that its view lacks, and left out.

    Returns:
        Scalar, the mean over the values; 0 with a gradient of 0 where every row is left out.
    """
    known = targets.square().sum(1) > 0
    unit = F.normalize(embeddings.float(), dim=1)
    difference = (unit - targets).abs().mean(1)
    return torch.where(known, difference, 0.0).sum() / known.sum().clamp_min(1)
