"""Pixels to network input."""

from __future__ import annotations

import torch
from torch import Tensor

from ...transfers import constants

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(clips: Tensor) -> Tensor:
    """Scales 8-bit pixels to [0, 1], then takes off the ImageNet mean and divides by its deviation.

    Args:
        clips: pixels in 0…255, [..., 3, H, W], uint8 or float.

    Returns:
        Network input, [..., 3, H, W], float32, in the memory layout of `clips`.
    """
    return normalise_(clips.to(torch.float32, copy=True), scale=255.0)


def normalise_(pixels: Tensor, *, scale: float) -> Tensor:
    """Normalises in place.

    Args:
        pixels: values in 0…scale, [..., 3, H, W], float32; overwritten.
        scale: the value of full brightness.

    Returns:
        `pixels`.
    """
    mean = constants(IMAGENET_MEAN, pixels.device).view(3, 1, 1)
    std = constants(IMAGENET_STD, pixels.device).view(3, 1, 1)
    return pixels.sub_(mean * scale).mul_(1 / (std * scale))
