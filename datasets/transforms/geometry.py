"""Random horizontal flip, padding and random crop, in one copy."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .draw import integers, uniform


@dataclass(frozen=True)
class Placement:
    """Where each clip is cut out of its padded self, and whether it is mirrored after that.

    Attributes:
        padding: rows added above and below, columns added left and right.
        top: first row of the crop in the padded clip, [B], int64.
        left: its first column, [B], int64.
        mirrored: [B], bool.
    """

    padding: tuple[int, int]
    top: Tensor
    left: Tensor
    mirrored: Tensor


def draw_placement(
    batch: int, padding: tuple[int, int], generator: torch.Generator, *, flip: float = 0.5
) -> Placement:
    """Draws crop and mirror for each clip.

    Args:
        batch: number of clips B.
        padding: rows added above and below, columns added left and right.
        generator: source of the draws.
        flip: probability that a clip is mirrored.
    """
    vertical, horizontal = padding
    top = integers(generator, (batch,), 2 * vertical + 1)
    left = integers(generator, (batch,), 2 * horizontal + 1)
    return Placement(padding, top, left, uniform(generator, (batch,)) < flip)


def flip_and_crop(
    clips: Tensor, padding: tuple[int, int], generator: torch.Generator, *, flip: float = 0.5
) -> Tensor:
    """Pads with black, crops back to the old size at a random place, and mirrors some clips.

    Args:
        clips: pixels, [B, T, 3, H, W], any dtype in which black is 0.
        padding: rows added above and below, columns added left and right.
        generator: source of the draws.
        flip: probability that a clip is mirrored.

    Returns:
        Pixels, [B, T, 3, H, W], the dtype of `clips`; a view of memory [B, T, H, W, 3].
    """
    batch, frames, _, height, width = clips.shape
    vertical, horizontal = padding
    placement = draw_placement(batch, padding, generator, flip=flip)
    top = placement.top[:, None].to(clips.device)
    left = placement.left[:, None].to(clips.device)
    mirrored = placement.mirrored[:, None].to(clips.device)

    tall, wide = height + 2 * vertical, width + 2 * horizontal
    padded = clips.new_zeros(batch, frames, tall, wide, 3)
    inner = padded[:, :, vertical : vertical + height, horizontal : horizontal + width]
    inner.copy_(clips.permute(0, 1, 3, 4, 2))

    columns = torch.arange(width, device=clips.device)
    columns = left + torch.where(mirrored, columns.flip(0), columns)  # [B, W]
    rows = top + torch.arange(height, device=clips.device)  # [B, H]
    images = torch.arange(batch * frames, device=clips.device).view(batch, frames, 1, 1)
    pixel = (images * tall + rows[:, None, :, None]) * wide + columns[:, None, None, :]
    cropped = padded.view(-1, 3).index_select(0, pixel.view(-1))
    return cropped.view(batch, frames, height, width, 3).permute(0, 1, 4, 2, 3)
