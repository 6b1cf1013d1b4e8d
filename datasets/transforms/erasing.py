"""Random erasing of a rectangle (Zhong et al., arXiv:1708.04896)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .draw import uniform


def random_erasing(
    clips: Tensor,
    generator: torch.Generator,
    *,
    probability: float = 0.5,
    area: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
    log_ratio: bool = True,
    attempts: int = 10,
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Tensor:
    """Fills one rectangle a clip, at the same place in all frames.

    A rectangle that does not fit inside the frame is drawn again; after the last attempt the clip
    stays whole. The defaults are those of torchvision, which M3-ReID uses.

    Args:
        clips: normalised clips, [B, T, 3, H, W], float.
        generator: source of the draws.
        probability: share of clips that are erased.
        area: bounds of the rectangle's share of the frame.
        ratio: bounds of its height divided by its width.
        log_ratio: whether the ratio is uniform on a logarithmic scale, or on a linear one.
        attempts: how often a rectangle is drawn.
        fill: what erased pixels become, for each channel.

    Returns:
        [B, T, 3, H, W].
    """
    batch, _, _, height, width = clips.shape
    chance = uniform(generator, (batch,)) < probability
    pixels = uniform(generator, (attempts, batch), *area) * (height * width)
    if log_ratio:
        shape = uniform(generator, (attempts, batch), *map(math.log, ratio)).exp()
    else:
        shape = uniform(generator, (attempts, batch), *ratio)
    place = uniform(generator, (2, batch))

    heights, widths = (pixels * shape).sqrt().round(), (pixels / shape).sqrt().round()
    fits = (heights < height) & (widths < width)
    first = fits.float().argmax(0, keepdim=True)
    tall, wide = heights.gather(0, first)[0], widths.gather(0, first)[0]
    top = (place[0] * (height - tall + 1)).floor()
    left = (place[1] * (width - wide + 1)).floor()

    erased = chance & fits.any(0)
    rows = _inside(height, top, tall) & erased[:, None]  # [B, H]
    columns = _inside(width, left, wide)  # [B, W]
    gone = (rows[:, :, None] & columns[:, None, :]).to(clips.device, clips.dtype)
    gone = gone[:, None, None]  # [B, 1, 1, H, W]
    result = clips * (1 - gone)
    if any(fill):
        colour = torch.tensor(fill, device=clips.device, dtype=clips.dtype).view(3, 1, 1)
        result.add_(gone * colour)
    return result


def _inside(size: int, start: Tensor, length: Tensor) -> Tensor:
    """Which of `size` positions lie in [start, start + length), [B, size]."""
    positions = torch.arange(size, device=start.device)
    return (positions >= start[:, None]) & (positions < (start + length)[:, None])
