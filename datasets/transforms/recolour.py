"""Random recolouring: a random smooth function from colour to one grey value."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .draw import uniform

WAVES = 6


def random_recolour(clips: Tensor, spread: Tensor, generator: torch.Generator) -> Tensor:
    """Maps colours to grey by a sum of random cosines, another one for each clip.

    Infrared reflectance does not follow visible colour. A grey value that is an arbitrary smooth
    function of the colour keeps edges, patterns and shapes and takes away what only colour says.
    For each clip g(x) = Σ a_j cos(w_j · x + φ_j), j = 1…6, x = (R, G, B) in [0, 1]; w_j is normal
    with deviation `spread`, a_j standard normal, φ_j uniform. The values of a clip are stretched to
    [0, 1]; a clip of one colour becomes black.

    Args:
        clips: values in [0, 1], [B, T, 3, H, W], float32.
        spread: deviation of the projection weights of each clip, [B], radians.
        generator: source of the draws.

    Returns:
        Values in [0, 1], [B, T, 3, H, W], three equal channels, an expanded view.
    """
    batch, frames, _, height, width = clips.shape
    device = generator.device
    weights = torch.randn((batch, WAVES, 3), generator=generator, device=device)
    phases = uniform(generator, (batch, WAVES, 1), 0.0, 2 * math.pi)
    amplitudes = torch.randn((batch, 1, WAVES), generator=generator, device=device)

    colours = clips.transpose(1, 2).reshape(batch, 3, frames * height * width)
    weights = weights.to(clips.device) * spread.to(clips.device).view(-1, 1, 1)
    waves = torch.baddbmm(phases.to(clips.device), weights, colours).cos_()
    grey = torch.bmm(amplitudes.to(clips.device), waves)  # [B, 1, T·H·W]
    low = grey.amin(2, keepdim=True)
    span = (grey.amax(2, keepdim=True) - low).clamp_min(1e-6)
    grey = ((grey - low) / span).view(batch, frames, 1, height, width)
    return grey.expand(clips.shape)
