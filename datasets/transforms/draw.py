"""Random parameters of a batch of clips."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(
    generator: torch.Generator, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0
) -> Tensor:
    """Uniform float32 numbers in [low, high) up to rounding, on the generator's device."""
    draws = torch.rand(shape, generator=generator, device=generator.device)
    return draws if (low, high) == (0.0, 1.0) else low + (high - low) * draws


def integers(generator: torch.Generator, shape: tuple[int, ...], number: int) -> Tensor:
    """Uniform int64 integers in 0 … number−1, on the generator's device."""
    return torch.randint(number, shape, generator=generator, device=generator.device)
