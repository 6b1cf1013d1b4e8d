"""Soft cluster-level alignment (SCA): one identity looks the same in both modalities."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..losses import MMDLoss

_MMD = MMDLoss()


def soft_cluster_alignment(
    embeddings: Tensor, labels: Tensor, modalities: Tensor, views: Tensor | None = None
) -> Tensor:
    """Mean over identities of ½[MMD²(V, sg R) + MMD²(R, sg V)] (MMM, soft cluster alignment).

    Args:
        embeddings: [B, D], normalised here.
        labels: [B] int64 unified labels; negative ones are left out.
        modalities: [B] int64.
        views: [B], which view of its image a visible row is; the views of an identity are then
            aligned one by one (the released code), and else as one set (the paper).

    Returns:
        Scalar; 0 with a gradient of 0 where no identity is in both modalities.
    """
    unit = F.normalize(embeddings.float(), dim=1)
    visible = modalities == Modality.VISIBLE
    kinds = [visible] if views is None else [visible & (views == v) for v in torch.unique(views)]
    terms = []
    for label in torch.unique(labels[labels >= 0]):
        mine = labels == label
        infrared = unit[mine & ~visible]
        for kind in kinds:
            seen = unit[mine & kind]
            if len(seen) and len(infrared):
                terms.append(_MMD(seen, infrared.detach()))
                terms.append(_MMD(infrared, seen.detach()))
    return torch.stack(terms).mean() if terms else embeddings.sum() * 0
