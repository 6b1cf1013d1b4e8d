"""Separation loss of M3-ReID: vectors of a group should be orthogonal."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..models.network import BatchOutput
from ..models.normalize import l2_normalize
from .inputs import in_full_precision


class SeparationLoss(nn.Module):
    """Mean square of the cosines between different vectors of each group.

    M3-ReID uses it twice: on the frames of a clip (OFR) and on the masks of a view (DAC).
    """

    @in_full_precision
    def forward(self, x: Tensor) -> Tensor:
        """Computes the loss of a batch of groups.

        Args:
            x: [B, K, D], K vectors for each of B groups, any length.

        Returns:
            Scalar in [0, 1], float32 (float64 for float64 input); 0 with a gradient of 0 for K = 1.

        Raises:
            ValueError: the shape is another.
        """
        if x.ndim != 3 or not x.shape[0] or not x.shape[1]:
            raise ValueError(f"SeparationLoss takes [B, K, D] with B, K > 0; got {list(x.shape)}")
        groups, vectors = x.shape[:2]
        unit = l2_normalize(x)
        cosines = unit @ unit.transpose(1, 2)
        diagonal = torch.eye(vectors, dtype=torch.bool, device=x.device)
        pairs = max(groups * vectors * (vectors - 1), 1)
        return cosines.masked_fill(diagonal, 0).square().sum() / pairs


def separation_losses(output: BatchOutput, weights: Mapping[str, float]) -> dict[str, Tensor]:
    """The separation terms of M3-ReID (section III) for its frames and its masks, weighted.

    Args:
        output: of the network; an image network has neither frames nor masks.
        weights: of ``OFR`` and ``DAC``; a term that is not in here is not computed.

    Returns:
        ``OFR`` and ``DAC``; empty without frames.
    """
    losses: dict[str, Tensor] = {}
    if output.frames is None:
        return losses
    loss = SeparationLoss()
    if "OFR" in weights:
        losses["OFR"] = weights["OFR"] * loss(output.frames)
    if "DAC" in weights:
        masks = sum((loss(mask) for mask in output.masks), start=output.embeddings.new_zeros(()))
        losses["DAC"] = weights["DAC"] * masks
    return losses
