"""Random parameters of a batch of clips."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(
    generator: torch.Generator, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Uniform numbers on the generator's device.

    Args:
        generator: source of the draws.
        shape: shape of the result.
        low: lower bound, included.
        high: upper bound, excluded up to rounding.

    Returns:
        Numbers, `shape`, float32.
    """
    draws = torch.rand(shape, generator=generator, device=generator.device)
    return draws if (low, high) == (0.0, 1.0) else low + (high - low) * draws


def integers(generator: torch.Generator, shape: tuple[int, ...], number: int) -> Tensor:
    """Uniform integers on the generator's device.

    Args:
        generator: source of the draws.
        shape: shape of the result.
        number: how many different values, at least 1.

    Returns:
        Integers in 0 … number−1, `shape`, int64.
    """
    return torch.randint(number, shape, generator=generator, device=generator.device)


def per_clip(values: Tensor, clips: Tensor) -> Tensor:
    """Brings one value a clip to the clips' device, ready to broadcast.

    Args:
        values: one value for each clip, [B].
        clips: [B, T, 3, H, W].

    Returns:
        [B, 1, 1, 1, 1].
    """
    return values.to(clips.device).view(-1, 1, 1, 1, 1)
