"""Separation of frames (OFR) and of attention masks (DAC), in one place for every stage."""

from __future__ import annotations

from torch import Tensor

from ..losses import SeparationLoss
from ..models.network import BatchOutput

_LOSS = SeparationLoss()


def separation_losses(output: BatchOutput, weight: float) -> dict[str, Tensor]:
    """The separation terms of M3-ReID (section III), weighted.

    Args:
        output: of the network; an image network has neither frames nor masks.
        weight: of both terms.

    Returns:
        ``OFR`` and ``DAC``; empty without frames or with weight 0.
    """
    if not weight or output.frames is None:
        return {}
    masks = sum((_LOSS(mask) for mask in output.masks), start=output.embeddings.new_zeros(()))
    return {"OFR": weight * _LOSS(output.frames), "DAC": weight * masks}
