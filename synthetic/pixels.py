"""Pixels as single numbers, so that a whole pixel is looked up or copied at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def packed(light: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.uint32]:
    """Pack the channels of each pixel.

    Args:
        light: (..., 3) or (..., 1) uint8.

    Returns:
        (...): uint32 that holds the three channels and an unused byte, or the uint8 itself.
    """
    if light.shape[-1] == 1:
        return np.ascontiguousarray(light[..., 0])
    pixels = np.zeros((*light.shape[:-1], 4), np.uint8)
    pixels[..., :3] = light
    return pixels.view(np.uint32)[..., 0]


def unpacked(
    pixels: NDArray[np.uint8] | NDArray[np.uint32],
) -> tuple[NDArray[np.uint8], str]:
    """The bytes of packed pixels, and what Pillow calls their order."""
    if pixels.dtype == np.uint8:
        return pixels.view(np.uint8), "L"
    return pixels.view(np.uint8), "RGBX"
