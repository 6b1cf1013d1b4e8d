"""Soft cluster-level alignment (SCA): one identity looks the same in both modalities."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..losses import MMDLoss

_MMD = MMDLoss()


def soft_cluster_alignment(embeddings: Tensor, labels: Tensor, modalities: Tensor) -> Tensor:
    """Mean over identities of ½[MMD²(V, sg R) + MMD²(R, sg V)] (MMM, soft cluster alignment).

    Args:
        embeddings: [B, D], normalised here.
        labels: [B] int64 unified labels; negative ones are left out.
        modalities: [B] int64.

    Returns:
        Scalar; 0 with a gradient of 0 where no identity is in both modalities.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    visible = modalities == Modality.VISIBLE
    terms = []
    for mine in _classes(labels):
        seen, infrared = unit[mine & visible], unit[mine & ~visible]
        if len(seen) and len(infrared):
            terms.append(_MMD(seen, infrared.detach()))
            terms.append(_MMD(infrared, seen.detach()))
    return torch.stack(terms).mean() if terms else embeddings.sum() * 0


def view_alignment(
    features: Tensor, labels: Tensor, modalities: Tensor, exchanged: Tensor
) -> tuple[Tensor, Tensor]:
    """The alignment of the released code: each visible view by itself, on features as they are.

    For each class of the batch the discrepancies of its visible views with its infrared rows are
    summed; the result is the mean of these sums over the classes. Source: the code released with
    MMM.

    Args:
        features: [B, D], floating point, used without normalisation.
        labels: [B] int64 unified labels; negative ones are left out.
        modalities: [B] int64.
        exchanged: [B] bool, second views of visible images.

    Returns:
        What moves the visible rows, with the infrared ones fixed, and the reverse; scalars, 0 with
        a gradient of 0 where no class is in both modalities.
    """
    visible = modalities == Modality.VISIBLE
    views = [visible & ~exchanged, visible & exchanged]
    sums = [features.sum() * 0, features.sum() * 0]
    classes = 0
    for mine in _classes(labels):
        classes += 1
        infrared = features[mine & ~visible]
        for view in views:
            seen = features[mine & view]
            if len(seen) and len(infrared):
                sums[0] = sums[0] + _MMD(seen, infrared.detach())
                sums[1] = sums[1] + _MMD(infrared, seen.detach())
    return sums[0] / max(classes, 1), sums[1] / max(classes, 1)


def _classes(labels: Tensor) -> Iterator[Tensor]:
    """Which rows each class holds, [B] bool."""
    return (labels == label for label in torch.unique(labels[labels >= 0]))
