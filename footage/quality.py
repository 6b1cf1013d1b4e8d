"""What makes a crop useless: blurred, cut by the picture's edge, covered by somebody nearer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHARPNESS_HEIGHT = 96  # pixels; larger crops are reduced, so that distance does not count twice
FLAT = 25.0  # variance of grey values below which there is little but noise


def sharpness(crop: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian relative to the variance of the grey values, this plus `FLAT`.

    The plain variance grows with contrast, which a thermal window sets; their ratio does not.

    Args:
        crop: [H, W] or [H, W, 3] uint8.

    Returns:
        0 for a flat picture; the more edges and noise, the more.
    """
    image = Image.fromarray(crop).convert("L")
    if image.height > SHARPNESS_HEIGHT:
        width = max(3, round(image.width * SHARPNESS_HEIGHT / image.height))
        image = image.resize((width, SHARPNESS_HEIGHT), Image.Resampling.BOX)
    grey = np.asarray(image, np.float64)
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * middle).var()) / (float(grey.var()) + FLAT)


def is_cut(box: NDArray[np.float64], width: int, height: int, border: float) -> bool:
    """Whether a box comes too near to the picture's edge to show a whole person.

    Args:
        box: [4] left, top, width, height.
        width, height: of the picture, pixels.
        border: pixels; 0: never.
    """
    left, top = box[0], box[1]
    right, bottom = left + box[2], top + box[3]
    nearest = min(left, top, width - right, height - bottom)
    return bool(border > 0 and nearest < border)


def covered_shares(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of each box the one nearer box that covers most of it covers.

    A camera looks down, so of two people the one whose feet are lower in the picture is nearer.

    Args:
        boxes: [N, 4] left, top, width, height, of one frame.

    Returns:
        [N] shares, 0 to 1.
    """
    first, last = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    size = np.minimum(last, last.swapaxes(0, 1)) - np.maximum(first, first.swapaxes(0, 1))
    overlap = size.clip(min=0).prod(axis=2)
    feet = boxes[:, 1] + boxes[:, 3]
    nearer = feet[None, :] > feet[:, None]
    shares: NDArray[np.float64] = (overlap * nearer).max(axis=1) / boxes[:, 2:].prod(axis=1)
    return shares


def coloured(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bool:
    """Whether a picture has colours; compression of a grey one leaves differences of a few values.

    Args:
        pixels: [H, W, 3] uint8, or [H, W] uint16, which has none.
    """
    if pixels.ndim == 2:
        return False
    step = max(1, pixels.shape[0] // 120)
    few = pixels[::step, ::step].astype(np.int16)
    return float(np.percentile(few.max(axis=2) - few.min(axis=2), 99)) >= 10
