"""Random erasing of a rectangle (Zhong et al., arXiv:1708.04896)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...transfers import constants
from .draw import uniform


@dataclass(frozen=True)
class Rectangles:
    """The rectangle of each clip; its corner and size mean nothing where none is erased.

    Attributes:
        erased: whether there is one, [B], bool.
        top: first row, [B], int64.
        left: first column, [B], int64.
        height: rows, [B], int64.
        width: columns, [B], int64.
    """

    erased: Tensor
    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor


@dataclass(frozen=True)
class RectangleShape:
    """How large and how slender a rectangle is; the defaults are torchvision's, as M3-ReID has it.

    Attributes:
        area: bounds of its share of the frame.
        ratio: bounds of its height divided by its width.
        log_ratio: whether the ratio is uniform on a logarithmic scale, or on a linear one.
        attempts: how often one is drawn until it fits inside the frame.
    """

    area: tuple[float, float] = (0.02, 0.33)
    ratio: tuple[float, float] = (0.3, 3.3)
    log_ratio: bool = True
    attempts: int = 10


def draw_rectangles(
    batch: int,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    probability: float = 0.5,
    shape: RectangleShape = RectangleShape(),
) -> Rectangles:
    """Draws one rectangle a clip, as `random_erasing` does.

    Args:
        batch: number of clips B.
        size: rows and columns of a frame.
        generator: source of the draws.
        probability: share of clips that are erased.
        shape: how its size is drawn.
    """
    height, width = size
    chance = uniform(generator, (batch,)) < probability
    draws = (shape.attempts, batch)
    pixels = uniform(generator, draws, *shape.area) * (height * width)
    if shape.log_ratio:
        ratio = uniform(generator, draws, *map(math.log, shape.ratio)).exp()
    else:
        ratio = uniform(generator, draws, *shape.ratio)
    place = uniform(generator, (2, batch))

    heights, widths = (pixels * ratio).sqrt().round(), (pixels / ratio).sqrt().round()
    fits = (heights < height) & (widths < width)
    first = fits.float().argmax(0, keepdim=True)
    tall, wide = heights.gather(0, first)[0], widths.gather(0, first)[0]
    top = (place[0] * (height - tall + 1)).floor()
    left = (place[1] * (width - wide + 1)).floor()

    erased = chance & fits.any(0)
    corner = (top.long(), left.long(), tall.long(), wide.long())
    return Rectangles(erased, *corner)


def random_erasing(
    clips: Tensor,
    generator: torch.Generator,
    *,
    probability: float = 0.5,
    shape: RectangleShape = RectangleShape(),
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Tensor:
    """Fills one rectangle a clip, at the same place in all frames.

    A rectangle that does not fit inside the frame is drawn again; after the last attempt the clip
    stays whole.

    Args:
        clips: normalised clips, [B, T, 3, H, W], float.
        generator: source of the draws.
        probability: share of clips that are erased.
        shape: how its size is drawn.
        fill: what erased pixels become, for each channel.

    Returns:
        [B, T, 3, H, W].
    """
    batch, _, _, height, width = clips.shape
    found = draw_rectangles(batch, (height, width), generator, probability=probability, shape=shape)
    rows = _inside(height, found.top, found.height) & found.erased[:, None]  # [B, H]
    columns = _inside(width, found.left, found.width)  # [B, W]
    gone = (rows[:, :, None] & columns[:, None, :]).to(clips.device, clips.dtype)
    gone = gone[:, None, None]  # [B, 1, 1, H, W]
    result = clips * (1 - gone)
    if any(fill):
        colour = constants(fill, clips.device).to(clips.dtype).view(3, 1, 1)
        result.add_(gone * colour)
    return result


def _inside(size: int, start: Tensor, length: Tensor) -> Tensor:
    """Which of `size` positions lie in [start, start + length), [B, size]."""
    positions = torch.arange(size, device=start.device)
    return (positions >= start[:, None]) & (positions < (start + length)[:, None])
