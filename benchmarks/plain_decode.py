"""Reading and augmenting frame by frame with Pillow, as released code does it.

The same decoder, the same resizing and the same parameters of a clip as ours, so that the results
can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transforms

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@dataclass(frozen=True)
class ClipDraw:
    """The random parameters of one clip.

    Attributes:
        grey: weights of red, green and blue, or None.
        padding: pixels added on each side.
        corner: first row and column of the crop.
        mirrored: whether the crop is mirrored.
        erased: top, left, height and width of what is erased, or None.
    """

    grey: tuple[float, float, float] | None
    padding: int
    corner: tuple[int, int]
    mirrored: bool
    erased: tuple[int, int, int, int] | None


def decode(path: Path) -> Image.Image:
    """An image file as RGB."""
    with Image.open(path) as image:
        return image.convert("RGB")


def resize(image: Image.Image, height: int, width: int) -> Image.Image:
    """Bilinear, with antialiasing where it shrinks."""
    return transforms.resize(image, [height, width], InterpolationMode.BILINEAR)


def grey(image: Image.Image, draw: ClipDraw) -> Image.Image:
    """The weighted sum of the channels, for a clip that turns grey."""
    if draw.grey is None:
        return image
    pixels = np.asarray(image)
    red, green, blue = draw.grey
    level = pixels[..., 0] * red + pixels[..., 1] * green + pixels[..., 2] * blue
    return Image.fromarray(np.stack([level.astype(np.uint8)] * 3, axis=2))


def crop(image: Image.Image, draw: ClipDraw) -> Image.Image:
    """Padding, crop to the old size, mirror."""
    width, height = image.size
    padded = transforms.pad(image, draw.padding)
    cropped = transforms.crop(padded, *draw.corner, height, width)
    return transforms.hflip(cropped) if draw.mirrored else cropped


def normalise(image: Image.Image) -> Tensor:
    """[3, H, W] float32, ImageNet mean and deviation."""
    return transforms.normalize(transforms.to_tensor(image), MEAN, STD)


def erase(frame: Tensor, draw: ClipDraw) -> Tensor:
    """A rectangle becomes 0."""
    if draw.erased is None:
        return frame
    return transforms.erase(frame, *draw.erased, v=torch.zeros(()))


def clip(paths: Sequence[Path], height: int, width: int, draw: ClipDraw) -> Tensor:
    """All steps for the frames of a clip.

    Args:
        paths: its frames, T of them.
        height: rows of the result.
        width: columns of the result.
        draw: the parameters.

    Returns:
        [T, 3, height, width] float32.
    """
    frames = []
    for path in paths:
        image = grey(resize(decode(path), height, width), draw)
        frames.append(erase(normalise(crop(image, draw)), draw))
    return torch.stack(frames)
