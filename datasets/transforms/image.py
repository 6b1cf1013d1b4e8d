"""The published augmentation of images (MMM, stage one and the AGW network of stage two)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..track import Modality
from .channels import channel_adaptation, channel_exchange
from .erasing import random_erasing
from .geometry import flip_and_crop
from .normalise import normalise

# Read by the published code as colours although the clips are normalised by then.
ERASED = (0.4914, 0.4822, 0.4465)


@dataclass(frozen=True)
class ImageAugmentation:
    """Pad and crop, flip, normalise, erase; then the channels.

    Infrared images get channel adaptation. Visible ones stay plain, or with `exchange` all channels
    become a random one of the three; training looks at a visible image both ways.

    Attributes:
        exchange: whether this is the exchanged view of visible images.
        padding: pixels added on each side before the crop.
        flip: probability of a mirrored image.
        erasing: probability that a rectangle is erased.
    """

    exchange: bool = False
    padding: int = 10
    flip: float = 0.5
    erasing: float = 0.5

    def __call__(self, clips: Tensor, modalities: Tensor, generator: torch.Generator) -> Tensor:
        """Augments and normalises.

        Args:
            clips: pixels, [B, T, 3, H, W], uint8; an image is a clip of T = 1.
            modalities: modality of each clip, [B], int64.
            generator: source of the draws.

        Returns:
            Network input, [B, T, 3, H, W], float32.
        """
        padding = (self.padding, self.padding)
        inputs = random_erasing(
            normalise(flip_and_crop(clips, padding, generator, flip=self.flip)),
            generator,
            probability=self.erasing,
            area=(0.02, 0.4),
            ratio=(0.3, 1 / 0.3),
            log_ratio=False,
            attempts=100,
            fill=ERASED,
        )
        visible = (modalities.to(clips.device) == Modality.VISIBLE).view(-1, 1, 1, 1, 1)
        adapted = channel_adaptation(inputs, generator)
        plain = channel_exchange(inputs, generator) if self.exchange else inputs
        return torch.where(visible, plain, adapted)
