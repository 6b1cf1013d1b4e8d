"""Another rounding of the same weights, to see how far a training depends on it."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def round_otherwise(model: nn.Module, generator: torch.Generator) -> None:
    """Moves each weight to the next number above or below it, by chance.

    This is what another order of a sum, another thread count or another processor does to a weight
    in the first step of a training, so runs from such starts differ as runs on different machines
    do. Weights of exactly 0 stay: they were set, not computed.

    Args:
        model: its floating-point parameters are changed in place; buffers are not.
        generator: where the choices come from, on the CPU, so that every device moves alike.
    """
    for weight in model.parameters():
        if not weight.is_floating_point():
            continue
        up = torch.rand(weight.shape, generator=generator) < 0.5
        towards = torch.where(up, torch.inf, -torch.inf).to(weight)
        weight.copy_(torch.where(weight == 0, weight, torch.nextafter(weight, towards)))
