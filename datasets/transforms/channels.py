"""Operations on the colours of a clip: its channels mixed, scaled, turned grey or stretched."""

from __future__ import annotations

import torch
from torch import Tensor

from ...transfers import constants
from .draw import integers, uniform

LUMA = (0.2989, 0.5870, 0.1140)


def mix_channels(clips: Tensor, matrices: Tensor) -> Tensor:
    """Makes each channel a weighted sum of the three old ones.

    Args:
        clips: [B, T, 3, H, W], float.
        matrices: row c holds the weights of new channel c, [B, 3, 3].

    Returns:
        [B, T, 3, H, W] in the memory layout of `clips`.
    """
    # Sums of products and no matmul: matrix units would round away bits of a plain copy.
    weights = matrices.to(clips.device, clips.dtype)[:, None, :, :, None, None]
    mixed = torch.empty_like(clips)
    torch.mul(clips[:, :, 0:1], weights[:, :, :, 0], out=mixed)
    mixed.addcmul_(clips[:, :, 1:2], weights[:, :, :, 1])
    return mixed.addcmul_(clips[:, :, 2:3], weights[:, :, :, 2])


def copy_matrices(sources: Tensor) -> Tensor:
    """Matrices for `mix_channels` that copy channels.

    Args:
        sources: the old channel that each new one copies, [B, 3], int64 in 0…2.

    Returns:
        Zeros and ones, [B, 3, 3], float32.
    """
    return torch.eye(3, device=sources.device)[sources]


def channel_exchange(clips: Tensor, generator: torch.Generator) -> Tensor:
    """All channels of a clip become a random one of them (channel exchange, MMM).

    Args:
        clips: [B, T, 3, H, W], float.
        generator: source of the draws.

    Returns:
        [B, T, 3, H, W].
    """
    source = integers(generator, (clips.shape[0], 1), 3).expand(-1, 3)
    return mix_channels(clips, copy_matrices(source))


def channel_adaptation(clips: Tensor, generator: torch.Generator) -> Tensor:
    """With equal chance one of the three channels everywhere, or a fourth case (MMM).

    In the fourth case half of the clips turn grey (weights 0.2989, 0.5870, 0.1140), the others
    stay as they are.

    Args:
        clips: [B, T, 3, H, W], float.
        generator: source of the draws.

    Returns:
        [B, T, 3, H, W].
    """
    case = integers(generator, (clips.shape[0],), 4)
    greyed = uniform(generator, (clips.shape[0],)) < 0.5
    copied = copy_matrices(case.clamp_max(2)[:, None].expand(-1, 3))
    grey, plain = constants(LUMA, case.device).expand(3, 3), torch.eye(3, device=case.device)
    fourth = torch.where(greyed[:, None, None], grey, plain)
    return mix_channels(clips, torch.where((case == 3)[:, None, None], fourth, copied))


def style_factors(single: Tensor, generator: torch.Generator) -> Tensor:
    """Draws the factors of `style_variation`, 0.5 to 1.5.

    Args:
        single: which clips take one factor for all channels, [B], bool, on the generator's device.
        generator: source of the draws.

    Returns:
        Factors, [B, 3], float32.
    """
    factors = uniform(generator, (len(single), 3), 0.5, 1.5)
    return torch.where(single[:, None], factors[:, :1], factors)


def style_variation(clips: Tensor, single: Tensor, generator: torch.Generator) -> Tensor:
    """Multiplies normalised values by random factors, 0.5 to 1.5 (M3-ReID).

    Args:
        clips: normalised clips, [B, T, 3, H, W], float.
        single: which clips take one factor for all channels ("one", infrared) and which a factor a
            channel ("all", visible), [B], bool.
        generator: source of the draws.

    Returns:
        [B, T, 3, H, W].
    """
    factors = style_factors(single.to(generator.device), generator)
    return clips * factors.to(clips.device)[:, None, :, None, None]


def weighted_grey(clips: Tensor, weights: Tensor) -> Tensor:
    """Replaces all channels by their weighted sum, cut (not rounded) to 8 bits.

    The sum is taken in float64: M3-ReID does so, and a value just below an integer is cut down.

    Args:
        clips: pixels, [B, T, 3, H, W], uint8.
        weights: weights of red, green and blue, [B, 3], not negative, sum at most 1.

    Returns:
        Pixels, [B, T, 3, H, W], uint8, three equal channels.
    """
    weights = weights.to(clips.device, torch.float64).view(-1, 1, 3, 1, 1)
    grey = clips[:, :, 0:1] * weights[:, :, 0:1]
    grey += clips[:, :, 1:2] * weights[:, :, 1:2]
    grey += clips[:, :, 2:3] * weights[:, :, 2:3]
    return grey.to(torch.uint8).expand(clips.shape)


def random_grey_weights(batch: int, generator: torch.Generator) -> Tensor:
    """Three uniform weights a clip, divided by their sum.

    Args:
        batch: number of clips B.
        generator: source of the draws.

    Returns:
        Weights, [B, 3], float64, rows sum to 1.
    """
    weights = uniform(generator, (batch, 3)).double().clamp_min(1e-6)
    return weights / weights.sum(1, keepdim=True)


def jitter_brightness_contrast(
    clips: Tensor, generator: torch.Generator, *, brightness: float = 0.15, contrast: float = 0.3
) -> Tensor:
    """Stretches a clip about its mean by 1 ± contrast and adds ± brightness.

    Args:
        clips: values in [0, 1], [B, T, 3, H, W], float.
        generator: source of the draws.
        brightness: largest shift, in units of full brightness.
        contrast: largest relative change of contrast.

    Returns:
        Values in [0, 1], [B, T, 3, H, W].
    """
    batch = (clips.shape[0],)
    shift = uniform(generator, batch, -brightness, brightness).to(clips.device)
    gain = uniform(generator, batch, 1 - contrast, 1 + contrast).to(clips.device)
    shift, gain = (values.view(-1, 1, 1, 1, 1) for values in (shift, gain))
    mean = clips.mean(dim=(1, 2, 3, 4), keepdim=True)
    return (clips * gain).add_(shift + mean * (1 - gain)).clamp_(0, 1)
