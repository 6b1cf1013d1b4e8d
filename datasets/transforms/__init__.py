"""Augmentation of clips: parameters are drawn once a clip and used for all its frames.

Everything here takes and gives clips of shape [B, T, 3, H, W] in any memory layout, on any device.
Random parameters come from a `torch.Generator`, which may live on the CPU while clips are on a GPU;
then the draws are the same on both.
"""

from .channels import channel_adaptation, channel_exchange, mix_channels, style_variation
from .erasing import RectangleShape, random_erasing
from .geometry import flip_and_crop
from .grey import random_grey_weights, weighted_grey
from .image import ImageAugmentation
from .jitter import jitter_brightness_contrast
from .normalise import normalise
from .recolour import random_recolour
from .recolour_preset import RecolourAugmentation
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
