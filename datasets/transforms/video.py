"""The published augmentation of clips (M3-ReID)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..track import Modality
from .channels import style_variation
from .draw import uniform
from .erasing import random_erasing
from .geometry import flip_and_crop
from .grey import random_grey_weights, weighted_grey
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
        visible = modalities.to(clips.device) == Modality.VISIBLE
        batch = len(clips)
        weights = random_grey_weights(batch, generator).to(clips.device)
        chosen = (uniform(generator, (batch,)) < self.grey).to(clips.device) & visible
        chosen = chosen.nonzero()[:, 0]
        clips = clips.index_copy(0, chosen, weighted_grey(clips[chosen], weights[chosen]))
        padding = (self.padding, self.padding)
        clips = flip_and_crop(clips, padding, generator, flip=self.flip)
        inputs = random_erasing(normalise(clips), generator, probability=self.erasing)
        return style_variation(inputs, ~visible, generator)
