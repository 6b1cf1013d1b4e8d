"""Random recolouring, and the augmentation for networks that start from random weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...transfers import places
from ..track import Modality
from .channels import copy_matrices, jitter_brightness_contrast, mix_channels, random_grey_weights
from .draw import integers, uniform
from .erasing import random_erasing
from .geometry import flip_and_crop
from .normalise import normalise_

WAVES = 6


@dataclass(frozen=True)
class RecolourAugmentation:
    """Flip and crop; new colours; brightness and contrast; normalise; erase.

    The colour of a clip is changed in one of four ways: a random smooth function to grey (both
    modalities), a grey of random weights or permuted or copied channels (visible only; infrared
    has three equal channels), or not at all.

    Attributes:
        padding: share of the height and of the width that is added on each side before the crop
            (4 and 2 pixels at 64×32).
        flip: probability of a mirrored clip.
        recolour: probability of random recolouring.
        grey: probability of a random-weight grey.
        channels: probability of permuted channels or one channel everywhere (half each).
        spread_visible: deviation of the recolouring's projection weights for visible clips.
        spread_infrared: the same for infrared clips, whose equal channels add up.
        brightness: largest shift, in units of full brightness.
        contrast: largest relative change of contrast.
        erasing: probability that a rectangle is erased.
    """

    padding: tuple[float, float] = (4 / 64, 2 / 32)
    flip: float = 0.5
    recolour: float = 0.4
    grey: float = 0.25
    channels: float = 0.15
    spread_visible: float = 3.5
    spread_infrared: float = 1.7
    brightness: float = 0.15
    contrast: float = 0.3
    erasing: float = 0.4

    def __call__(self, clips: Tensor, modalities: Tensor, generator: torch.Generator) -> Tensor:
        """Augments and normalises.

        Args:
            clips: pixels, [B, T, 3, H, W], uint8; left as they are.
            modalities: modality of each clip, [B], int64.
            generator: source of the draws.

        Returns:
            Network input, [B, T, 3, H, W], float32; a view of memory [B, T, H, W, 3].
        """
        height, width = clips.shape[-2:]
        padding = (round(self.padding[0] * height), round(self.padding[1] * width))
        cropped = flip_and_crop(clips, padding, generator, flip=self.flip)
        # Colour operations run over whole planes, so memory is [B, 3, T, H, W] while they last.
        planes = cropped.transpose(1, 2).to(torch.float32, memory_format=torch.contiguous_format)
        colours = planes.transpose(1, 2).div_(255)
        colours = self._new_colours(colours, modalities.to(clips.device), generator)
        colours = jitter_brightness_contrast(
            colours, generator, brightness=self.brightness, contrast=self.contrast
        )
        inputs = random_erasing(normalise_(colours, scale=1.0), generator, probability=self.erasing)
        pixels = inputs.permute(0, 1, 3, 4, 2).contiguous()
        return pixels.permute(0, 1, 4, 2, 3)

    def _new_colours(self, clips: Tensor, modalities: Tensor, generator: torch.Generator) -> Tensor:
        """Draws one of the four ways for each clip; values in [0, 1], [B, T, 3, H, W]."""
        batch = len(clips)
        kind = uniform(generator, (batch, 1, 1))
        greys = random_grey_weights(batch, generator)[:, None].float().expand(-1, 3, -1)
        permutation = uniform(generator, (batch, 3)).argsort(1)
        copied = integers(generator, (batch, 1), 3).expand(-1, 3)
        copies = uniform(generator, (batch, 1)) < 0.5
        moved = copy_matrices(torch.where(copies, copied, permutation))

        visible = (modalities == Modality.VISIBLE).to(kind.device).view(-1, 1, 1)
        bounds = (
            self.recolour,
            self.recolour + self.grey,
            self.recolour + self.grey + self.channels,
        )
        matrices = torch.eye(3, device=kind.device).expand(batch, 3, 3)
        matrices = torch.where((kind < bounds[2]) & visible, moved, matrices)
        matrices = torch.where((kind < bounds[1]) & visible, greys, matrices)
        mixed = mix_channels(clips, matrices)

        chosen = kind.view(-1) < bounds[0]
        spread = torch.where(
            modalities == Modality.VISIBLE, self.spread_visible, self.spread_infrared
        )
        if kind.device.type == "cpu":
            rows = places(chosen, clips.device)
            return mixed.index_copy_(0, rows, random_recolour(clips[rows], spread[rows], generator))
        # Of all clips, because only the device knows which ones were drawn.
        recoloured = random_recolour(clips, spread, generator)
        return torch.where(chosen.to(clips.device).view(-1, 1, 1, 1, 1), recoloured, mixed)


def random_recolour(clips: Tensor, spread: Tensor, generator: torch.Generator) -> Tensor:
    """Maps colours to grey by a sum of random cosines, another one for each clip.

    Infrared reflectance does not follow visible colour. A grey value that is an arbitrary smooth
    function of the colour keeps edges, patterns and shapes and takes away what only colour says.
    For each clip g(x) = Σ a_j cos(w_j · x + φ_j), j = 1…6, x = (R, G, B) in [0, 1]; w_j is normal
    with deviation `spread`, a_j standard normal, φ_j uniform. The values of a clip are stretched to
    [0, 1]; a clip of one colour becomes black.

    Args:
        clips: values in [0, 1], [B, T, 3, H, W], float32.
        spread: deviation of the projection weights of each clip, [B], radians.
        generator: source of the draws.

    Returns:
        Values in [0, 1], [B, T, 3, H, W], three equal channels, an expanded view.
    """
    batch, frames, _, height, width = clips.shape
    device = generator.device
    weights = torch.randn((batch, WAVES, 3), generator=generator, device=device)
    phases = uniform(generator, (batch, WAVES, 1), 0.0, 2 * math.pi)
    amplitudes = torch.randn((batch, 1, WAVES), generator=generator, device=device)

    colours = clips.transpose(1, 2).reshape(batch, 3, frames * height * width)
    weights = weights.to(clips.device) * spread.to(clips.device).view(-1, 1, 1)
    waves = torch.baddbmm(phases.to(clips.device), weights, colours).cos_()
    grey = torch.bmm(amplitudes.to(clips.device), waves)  # [B, 1, T·H·W]
    low = grey.amin(2, keepdim=True)
    span = (grey.amax(2, keepdim=True) - low).clamp_min(1e-6)
    grey = ((grey - low) / span).view(batch, frames, 1, height, width)
    return grey.expand(clips.shape)
