"""Resizing of 8-bit frames, bit for bit as Pillow does it; bilinear several times as fast.

Pillow is the reference: the published weights were trained and tested with it. (torch's own 8-bit
interpolation rounds its weights to 16 bits and is off by one or two in a pixel of twenty.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image

# Weights are integers with this many fractional bits: 255 times their sum fits into 31 bits.
BITS = 22
HALF = 1 << (BITS - 1)

Pixels = NDArray[np.uint8]
Integers = NDArray[np.int32]
Filter = Literal["bilinear", "bicubic", "lanczos"]

FILTERS: dict[str, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize_frame(frame: Pixels, height: int, width: int, resize: Filter = "bilinear") -> Pixels:
    """Resizes a frame as `PIL.Image.resize` does.

    Args:
        frame: pixels, [h, w, 3], uint8, C-contiguous.
        height, width: of the result, pixels.
        resize: filter. The published code takes "bilinear" for video, "bicubic" for the images of
            stage one and "lanczos" for those of tests and of stage two.

    Returns:
        Pixels, [height, width, 3], uint8; `frame` itself where the size is right already.
    """
    old_height, old_width, _ = frame.shape
    if (old_height, old_width) == (height, width):
        return frame
    if resize != "bilinear" or old_height > height or old_width > width:
        # Where a frame shrinks, versions of Pillow differ in whether rows or columns come first,
        # which changes the rounding in between; the installed one decides.
        return np.asarray(Image.fromarray(frame).resize((width, height), FILTERS[resize]))
    if old_width < width:
        frame = _more_columns(frame, *neighbours(old_width, width))
    if old_height < height:
        lines = _more_rows(frame.reshape(old_height, -1), *neighbours(old_height, height))
        frame = lines.reshape(height, width, 3)
    return frame


@lru_cache(maxsize=256)
def neighbours(old: int, new: int) -> tuple[Integers, Integers, Integers, Integers]:
    """The two old positions on either side of each new one, and how much of each it takes.

    Args:
        old: number of old positions.
        new: number of new positions, at least `old`.

    Returns:
        First position, second position, and their weights in units of 2⁻²²; each [new], int32.
    """
    centre = (np.arange(new) + 0.5) * (old / new) - 0.5
    first = np.floor(centre).astype(np.int64)
    near = np.stack([first, first + 1])
    inside = (near >= 0) & (near < old)
    share = np.where(inside, np.maximum(1 - np.abs(near - centre), 0.0), 0.0)
    fixed = (0.5 + share / share.sum(0) * (1 << BITS)).astype(np.int32)
    first, second = np.clip(near, 0, old - 1).astype(np.int32)
    return first, second, fixed[0], fixed[1]


@njit(cache=True, nogil=True)
def _more_columns(
    frame: Pixels, left: Integers, right: Integers, of_left: Integers, of_right: Integers
) -> Pixels:
    result = np.empty((frame.shape[0], len(left), 3), np.uint8)
    old, new = frame.reshape(-1), result.reshape(-1)
    # Unsigned positions: a signed one might count from the end, and the check doubles the time.
    one, two, three = np.uintp(1), np.uintp(2), np.uintp(3)
    half, bits = np.uint32(HALF), np.uint32(BITS)
    start, place = np.uintp(0), np.uintp(0)
    for _ in range(frame.shape[0]):
        for x in range(len(left)):
            i, j = start + three * np.uintp(left[x]), start + three * np.uintp(right[x])
            a, b = np.uint32(of_left[x]), np.uint32(of_right[x])
            new[place] = (old[i] * a + old[j] * b + half) >> bits
            new[place + one] = (old[i + one] * a + old[j + one] * b + half) >> bits
            new[place + two] = (old[i + two] * a + old[j + two] * b + half) >> bits
            place += three
        start += three * np.uintp(frame.shape[1])
    return result


@njit(cache=True, nogil=True)
def _more_rows(
    lines: Pixels, top: Integers, bottom: Integers, of_top: Integers, of_bottom: Integers
) -> Pixels:
    result = np.empty((len(top), lines.shape[1]), np.uint8)
    for y in range(len(top)):
        above, below, line = lines[top[y]], lines[bottom[y]], result[y]
        a, b = of_top[y], of_bottom[y]
        for x in range(lines.shape[1]):
            total = np.int32(above[x]) * a + np.int32(below[x]) * b + np.int32(HALF)
            line[x] = np.uint8(total >> np.int32(BITS))
    return result
