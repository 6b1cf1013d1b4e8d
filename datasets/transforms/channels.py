"""Operations that mix or scale the channels of a clip."""

from __future__ import annotations

import torch
from torch import Tensor

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


def channel_adaptation(clips: Tensor, generator: torch.Generator, *, grey: float = 0.5) -> Tensor:
    """With equal chance one of the three channels everywhere, or a fourth case (MMM).

    Args:
        clips: [B, T, 3, H, W], float.
        generator: source of the draws.
        grey: in the fourth case the probability of a grey image (weights 0.2989, 0.5870, 0.1140);
            otherwise the clip stays as it is.

    Returns:
        [B, T, 3, H, W].
    """
    case = integers(generator, (clips.shape[0],), 4)
    greyed = uniform(generator, (clips.shape[0],)) < grey
    matrices = copy_matrices(case.clamp_max(2)[:, None].expand(-1, 3))
    matrices[(case == 3) & ~greyed] = torch.eye(3, device=case.device)
    matrices[(case == 3) & greyed] = torch.tensor(LUMA, device=case.device).expand(3, 3)
    return mix_channels(clips, matrices)


def style_factors(
    single: Tensor, generator: torch.Generator, *, low: float = 0.5, high: float = 1.5
) -> Tensor:
    """Draws the factors of `style_variation`.

    Args:
        single: which clips take one factor for all channels, [B], bool, on the generator's device.
        generator: source of the draws.
        low: smallest factor.
        high: largest factor.

    Returns:
        Factors, [B, 3], float32.
    """
    factors = uniform(generator, (len(single), 3), low, high)
    return torch.where(single[:, None], factors[:, :1], factors)


def style_variation(
    clips: Tensor,
    single: Tensor,
    generator: torch.Generator,
    *,
    low: float = 0.5,
    high: float = 1.5,
) -> Tensor:
    """Multiplies normalised values by random factors (M3-ReID).

    Args:
        clips: normalised clips, [B, T, 3, H, W], float.
        single: which clips take one factor for all channels ("one", infrared) and which a factor a
            channel ("all", visible), [B], bool.
        generator: source of the draws.
        low: smallest factor.
        high: largest factor.

    Returns:
        [B, T, 3, H, W].
    """
    factors = style_factors(single.to(generator.device), generator, low=low, high=high)
    return clips * factors.to(clips.device)[:, None, :, None, None]
