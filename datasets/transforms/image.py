"""The published augmentation of images (MMM, stage one and the AGW network of stage two)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..track import Modality
from .channels import channel_adaptation, channel_exchange
from .compose import compose
from .erasing import RectangleShape, draw_rectangles, random_erasing
from .geometry import draw_placement, flip_and_crop
from .normalise import normalise

# Read by the released code as colours although the clips are normalised by then.
ERASED = (0.4914, 0.4822, 0.4465)
RECTANGLE = RectangleShape(area=(0.02, 0.4), ratio=(0.3, 1 / 0.3), log_ratio=False, attempts=100)


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
        if clips.device.type == "cpu" and generator.device.type == "cpu":
            inputs = self._in_one_pass(clips, generator)
        else:
            inputs = self._step_by_step(clips, generator)
        visible = (modalities.to(clips.device) == Modality.VISIBLE).view(-1, 1, 1, 1, 1)
        adapted = channel_adaptation(inputs, generator)
        plain = channel_exchange(inputs, generator) if self.exchange else inputs
        return torch.where(visible, plain, adapted)

    def _in_one_pass(self, clips: Tensor, generator: torch.Generator) -> Tensor:
        """All but the channels, for the CPU; draws and values of `_step_by_step`."""
        batch, _, _, height, width = clips.shape
        padding = (self.padding, self.padding)
        placement = draw_placement(batch, padding, generator, flip=self.flip)
        rectangles = draw_rectangles(
            batch, (height, width), generator, probability=self.erasing, shape=RECTANGLE
        )
        return compose(clips, placement, rectangles, torch.ones(batch, 3), fill=ERASED)

    def _step_by_step(self, clips: Tensor, generator: torch.Generator) -> Tensor:
        """All but the channels, for every device."""
        padding = (self.padding, self.padding)
        inputs = normalise(flip_and_crop(clips, padding, generator, flip=self.flip))
        return random_erasing(
            inputs, generator, probability=self.erasing, shape=RECTANGLE, fill=ERASED
        )
