"""Grey, crop, flip, normalise, recolour and erase in one pass over the pixels, on the CPU.

Each operation alone reads and writes a whole batch of floats; what it computes is little. In one
pass every 8-bit pixel is read once and its float is written once.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from .erasing import Rectangles
from .geometry import Placement
from .normalise import IMAGENET_MEAN, IMAGENET_STD

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def compose(
    clips: Tensor,
    placement: Placement,
    rectangles: Rectangles,
    factors: Tensor,
    *,
    grey_weights: Tensor | None = None,
    grey: Tensor | None = None,
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Tensor:
    """Greys some clips, crops and mirrors, normalises, multiplies by factors, and erases.

    The values are those of the operations one after the other, to the last bit.

    Args:
        clips: pixels, [B, T, 3, H, W], uint8, on the CPU; left as they are. Memory [B, T, H, W, 3]
            is read as it is, any other layout is copied first.
        placement: crop and mirror of each clip.
        rectangles: what is erased of each clip.
        factors: of each channel, [B, 3], float32.
        grey_weights: weights of red, green and blue, [B, 3], float64; None for no grey at all.
        grey: clips that turn grey, [B], bool; needed with `grey_weights`.
        fill: what erased pixels become, for each channel.

    Returns:
        [B, T, 3, H, W], float32; a view of memory [B, T, H, W, 3].
    """
    batch, frames, _, height, width = clips.shape
    if grey_weights is None or grey is None:
        grey_weights = torch.zeros(batch, 3, dtype=torch.float64)
        grey = torch.zeros(batch, dtype=torch.bool)
    result = torch.empty(batch, frames, height, width, 3)
    integers = torch.stack(
        [
            placement.top - placement.padding[0],
            placement.left - placement.padding[1],
            placement.mirrored.long(),
            grey.long(),
            rectangles.top,
            rectangles.left,
            rectangles.height * rectangles.erased,
            rectangles.width,
        ],
        dim=1,
    )
    shift = torch.tensor(IMAGENET_MEAN) * 255
    scale = 1 / (torch.tensor(IMAGENET_STD) * 255)
    _compose(
        clips.permute(0, 1, 3, 4, 2).contiguous().numpy(),
        integers.numpy(),
        grey_weights.numpy(),
        # A line of each, so that the channels of a row of pixels are treated alike.
        shift.repeat(width).numpy(),
        scale.repeat(width).numpy(),
        factors.repeat(1, width).numpy(),
        np.array(fill, np.float32),
        result.numpy(),
    )
    return result.permute(0, 1, 4, 2, 3)


@njit(cache=True, nogil=True)
def _normalise(levels: Bytes, shift: Floats, scale: Floats, factor: Floats, line: Floats) -> None:
    for x in range(levels.size):
        line[x] = (np.float32(levels[x]) - shift[x]) * scale[x] * factor[x]


@njit(cache=True, nogil=True)
def _mirror(source: Bytes, target: Bytes) -> None:
    """Pixels of a line in the other order."""
    # Unsigned positions: a signed one might count from the end, and checking that costs time.
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    x, place = np.uintp(0), np.uintp(source.size)
    for _ in range(source.size // 3):
        place -= three
        target[x] = source[place]
        target[x + one] = source[place + one]
        target[x + two] = source[place + two]
        x += three


@njit(cache=True, nogil=True)
def _grey(levels: Bytes, weights: NDArray[np.float64]) -> None:
    """A line of pixels becomes grey; cut, not rounded, as in `weighted_grey`."""
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    of_red, of_green, of_blue = weights[0], weights[1], weights[2]
    x = np.uintp(0)
    for _ in range(levels.size // 3):
        level = levels[x] * of_red + levels[x + one] * of_green + levels[x + two] * of_blue
        levels[x] = levels[x + one] = levels[x + two] = np.uint8(np.int32(level))
        x += three


@njit(cache=True, nogil=True)
def _compose(
    pixels: Bytes,
    integers: NDArray[np.int64],
    weights: NDArray[np.float64],
    shift: Floats,
    scale: Floats,
    factors: Floats,
    fill: Floats,
    result: Floats,
) -> None:
    batch, frames, height, width, _ = pixels.shape
    levels = np.empty(3 * width, np.uint8)
    for b in range(batch):
        down, right, mirrored, grey, top, left, tall, wide = integers[b]
        factor = factors[b]
        # Columns before mirroring whose source lies inside the frame.
        first = min(max(0, -right), width)
        last = max(first, min(width, width - right))
        for t in range(frames):
            for y in range(height):
                levels[:] = 0
                if 0 <= y + down < height:
                    source = pixels[b, t, y + down].reshape(-1)
                    begin, end = 3 * (first + right), 3 * (last + right)
                    if mirrored:
                        _mirror(source[begin:end], levels[3 * (width - last) :])
                    else:
                        levels[3 * first : 3 * last] = source[begin:end]
                    if grey:
                        _grey(levels, weights[b])
                line = result[b, t, y].reshape(-1)
                _normalise(levels, shift, scale, factor, line)
                if top <= y < top + tall:
                    for x in range(3 * left, 3 * (left + wide)):
                        line[x] = fill[x % 3]
