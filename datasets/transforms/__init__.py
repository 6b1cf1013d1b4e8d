"""Augmentation of clips: parameters are drawn once a clip and used for all its frames.

Everything here takes and gives clips of shape [B, T, 3, H, W] in any memory layout, on any device.
Random parameters come from a `torch.Generator`, which may live on the CPU while clips are on a GPU;
then the draws are the same on both.
"""

from .channels import (
    channel_adaptation,
    channel_exchange,
    jitter_brightness_contrast,
    mix_channels,
    random_grey_weights,
    style_variation,
    weighted_grey,
)
from .erasing import RectangleShape, random_erasing
from .geometry import flip_and_crop
from .image import ImageAugmentation
from .normalise import normalise
from .recolour import RecolourAugmentation, random_recolour
from .video import VideoAugmentation

__all__ = [
    "ImageAugmentation",
    "RecolourAugmentation",
    "RectangleShape",
    "VideoAugmentation",
    "channel_adaptation",
    "channel_exchange",
    "flip_and_crop",
    "jitter_brightness_contrast",
    "mix_channels",
    "normalise",
    "random_erasing",
    "random_grey_weights",
    "random_recolour",
    "style_variation",
    "weighted_grey",
]
