"""Random brightness and contrast."""

from __future__ import annotations

import torch
from torch import Tensor

from .draw import per_clip, uniform


def jitter_brightness_contrast(
    clips: Tensor, generator: torch.Generator, *, brightness: float = 0.15, contrast: float = 0.3
) -> Tensor:
    """Stretches a clip about its mean by 1 ± contrast and adds ± brightness.

    Args:
        clips: values in [0, 1], [B, T, 3, H, W], float.
        generator: source of the draws.
        brightness: largest shift, in units of full brightness.
        contrast: largest relative change of contrast.

    Returns:
        Values in [0, 1], [B, T, 3, H, W].
    """
    batch = (clips.shape[0],)
    shift = per_clip(uniform(generator, batch, -brightness, brightness), clips)
    gain = per_clip(uniform(generator, batch, 1 - contrast, 1 + contrast), clips)
    mean = clips.mean(dim=(1, 2, 3, 4), keepdim=True)
    return (clips * gain).add_(shift + mean * (1 - gain)).clamp_(0, 1)
