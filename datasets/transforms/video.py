"""The published augmentation of clips (M3-ReID)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..track import Modality
from .channels import random_grey_weights, style_factors, style_variation, weighted_grey
from .compose import compose
from .draw import uniform
from .erasing import draw_rectangles, random_erasing
from .geometry import draw_placement, flip_and_crop
from .normalise import normalise


@dataclass(frozen=True)
class VideoAugmentation:
    """The M3-ReID recipe.

    Infrared: pad and crop, flip, normalise, erase, one style factor. Visible: weighted greyscale of
    some clips, pad and crop, flip, normalise, erase, one style factor a channel.

    Attributes:
        padding: pixels added on each side before the crop.
        flip: probability of a mirrored clip.
        grey: probability that a visible clip turns grey.
        erasing: probability that a rectangle is erased.
    """

    padding: int = 5
    flip: float = 0.5
    grey: float = 0.5
    erasing: float = 0.5

    def __call__(self, clips: Tensor, modalities: Tensor, generator: torch.Generator) -> Tensor:
        """Augments and normalises.

        Args:
            clips: pixels, [B, T, 3, H, W], uint8; left as they are.
            modalities: modality of each clip, [B], int64.
            generator: source of the draws.

        Returns:
            Network input, [B, T, 3, H, W], float32.
        """
        if clips.device.type == "cpu" and generator.device.type == "cpu":
            return self._in_one_pass(clips, modalities == Modality.VISIBLE, generator)
        return self._step_by_step(clips, modalities == Modality.VISIBLE, generator)

    def _draw_grey(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Weights of the greyscale, [B, 3], and which clips would turn grey, [B]."""
        weights = random_grey_weights(batch, generator)
        return weights, uniform(generator, (batch,)) < self.grey

    def _in_one_pass(self, clips: Tensor, visible: Tensor, generator: torch.Generator) -> Tensor:
        """For the CPU; the same draws and the same values as `_step_by_step`."""
        batch, _, _, height, width = clips.shape
        weights, grey = self._draw_grey(batch, generator)
        padding = (self.padding, self.padding)
        placement = draw_placement(batch, padding, generator, flip=self.flip)
        rectangles = draw_rectangles(batch, (height, width), generator, probability=self.erasing)
        factors = style_factors(~visible, generator)
        return compose(
            clips, placement, rectangles, factors, grey_weights=weights, grey=grey & visible
        )

    def _step_by_step(self, clips: Tensor, visible: Tensor, generator: torch.Generator) -> Tensor:
        """For every device."""
        weights, grey = self._draw_grey(len(clips), generator)
        chosen = grey.to(clips.device) & visible.to(clips.device)
        # Of all clips, because only the device knows which ones were drawn.
        greyed = weighted_grey(clips, weights)
        clips = torch.where(chosen.view(-1, 1, 1, 1, 1), greyed, clips)
        padding = (self.padding, self.padding)
        clips = flip_and_crop(clips, padding, generator, flip=self.flip)
        inputs = random_erasing(normalise(clips), generator, probability=self.erasing)
        return style_variation(inputs, ~visible, generator)
