"""Grey images as weighted sums of the three channels."""

from __future__ import annotations

import torch
from torch import Tensor

from .draw import uniform


def weighted_grey(clips: Tensor, weights: Tensor) -> Tensor:
    """Replaces all channels by their weighted sum, cut (not rounded) to 8 bits.

    The sum is taken in float64: M3-ReID does so, and a value just below an integer is cut down.

    Args:
        clips: pixels, [B, T, 3, H, W], uint8.
        weights: weights of red, green and blue, [B, 3], not negative, sum at most 1.

    Returns:
        Pixels, [B, T, 3, H, W], uint8, three equal channels.
    """
    weights = weights.to(clips.device, torch.float64).view(-1, 1, 3, 1, 1)
    grey = clips[:, :, 0:1] * weights[:, :, 0:1]
    grey += clips[:, :, 1:2] * weights[:, :, 1:2]
    grey += clips[:, :, 2:3] * weights[:, :, 2:3]
    return grey.to(torch.uint8).expand(clips.shape)


def random_grey_weights(batch: int, generator: torch.Generator) -> Tensor:
    """Three uniform weights a clip, divided by their sum.

    Args:
        batch: number of clips B.
        generator: source of the draws.

    Returns:
        Weights, [B, 3], float64, rows sum to 1.
    """
    weights = uniform(generator, (batch, 3)).double().clamp_min(1e-6)
    return weights / weights.sum(1, keepdim=True)
