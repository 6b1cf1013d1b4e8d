"""Modality alignment loss of M3-ReID."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.normalize import l2_normalize
from .inputs import check_batch, in_full_precision


class ModalityAlignmentLoss(nn.Module):
    """Pulls each sample to its identity in the other modality, against the other identities there.

    Each sample is a query against the samples of the other modality, with distance (1 - cosine)/2.
    With p the mean distance to its identity and n the mean distance to all others, its loss is
    softplus(p - n). The losses are averaged within each modality and then over the modalities that
    have a valid query. A query without a match on the other side, or with nothing but matches, is
    left out; without any valid query the loss is 0, with a gradient of 0.

    M3-ReID, cross-modality alignment (MMA), for clips and, with repeated labels, for frames.
    """

    @in_full_precision
    def forward(self, embeddings: Tensor, identities: Tensor, modalities: Tensor) -> Tensor:
        """Computes the loss of a batch.

        Args:
            embeddings: [B, D], any length, floating point.
            identities: [B], integers.
            modalities: [B], integers, at most two distinct values, whichever they are.

        Returns:
            Scalar, float32 (float64 for float64 embeddings).

        Raises:
            ValueError: a shape does not fit, or (checked on the CPU only, where it costs no
                synchronisation) there are more than two modalities.
        """
        check_batch(
            "ModalityAlignmentLoss", embeddings, identities=identities, modalities=modalities
        )
        looks = modalities.device.type == "cpu" and not torch.compiler.is_compiling()
        if looks and len(codes := modalities.unique()) > 2:
            raise ValueError(
                f"ModalityAlignmentLoss aligns two modalities; got the codes {codes.tolist()}"
            )
        unit = l2_normalize(embeddings)
        distance = (1 - unit @ unit.t()) / 2
        first = modalities == modalities[0]
        across = first[:, None] != first[None, :]
        same = identities[:, None] == identities[None, :]
        positive, matches = _masked_mean(distance, across & same)
        negative, others = _masked_mean(distance, across & ~same)
        losses = F.softplus(positive - negative)
        valid = (matches > 0) & (others > 0)
        sides = torch.stack([valid & first, valid & ~first])
        means, counts = _masked_mean(losses.expand(2, -1), sides)
        return means.sum() / (counts > 0).sum().clamp(min=1)


def _masked_mean(values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of each row where the mask holds (0 where it never does), and how often it holds."""
    counts = mask.sum(dim=1)
    return (values * mask).sum(dim=1) / counts.clamp(min=1), counts
