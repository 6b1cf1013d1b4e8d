"""Multi-view learning: masks on three planes of a clip, each pooled by itself."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .gem import generalized_mean


class ViewMasks(NamedTuple):
    """The masks of the three views, in (0, 1), as the diversity loss takes them: [batch, K, D].

    Attributes:
        hw: frame by frame, [B * T, heads, H * W].
        tw: row by row of the map, [B * H, heads, T * W].
        th: column by column of the map, [B * W, heads, T * H].
    """

    hw: Tensor
    tw: Tensor
    th: Tensor


class MultiViewPooling(nn.Module):
    """Three-view attention pooling of M3-ReID.

    For each of the planes (H, W), (T, W) and (T, H) a 1×1 convolution and a sigmoid give ``heads``
    masks. A 1×1 convolution sees one position at a time, so the three of them are one convolution
    over the map as it lies; only the masks are regrouped by plane. Each mask weights the map, which
    is pooled over H·W of every frame by the generalised mean (p = 3) or the plain mean. Masks start
    with the framework's weights and biases of zero.

    Args:
        channels: channels of the feature map.
        heads: masks for each view.
        power: exponent of the pooling, 3 as published; 1 is the mean.
    """

    def __init__(self, channels: int, heads: int = 2, power: float = 3.0) -> None:
        super().__init__()
        self.power = power
        self.hw = nn.Conv2d(channels, heads, 1)
        self.tw = nn.Conv2d(channels, heads, 1)
        self.th = nn.Conv2d(channels, heads, 1)
        for view in (self.hw, self.tw, self.th):
            assert view.bias is not None
            nn.init.zeros_(view.bias)

    @property
    def out_multiple(self) -> int:
        """Pooled values for each channel: 3 × heads."""
        return 3 * self.hw.out_channels

    def forward(self, frames: Tensor, num_frames: int) -> tuple[Tensor, ViewMasks]:
        """Pools every frame under the masks of the three views.

        Args:
            frames: feature maps, [B * T, C, H, W], not negative, the frames of a clip one after
                another. B = 1 and T = 1 are fine.
            num_frames: T.

        Returns:
            The pooled frames, [B * T, 3 * heads * C], float32 (float64 for float64 input), ordered
            by view (hw, tw, th), then head, then channel; and the masks.
        """
        views = (self.hw, self.tw, self.th)
        weight = torch.cat([view.weight for view in views])
        bias = torch.cat([view.bias for view in views if view.bias is not None])
        logits = F.conv2d(frames, weight, bias)
        masks = logits.to(torch.promote_types(logits.dtype, torch.float32)).sigmoid()
        pooled = generalized_mean(frames, masks.flatten(2), self.power).flatten(1)
        return pooled, _by_view(masks.unflatten(0, (-1, num_frames)), self.hw.out_channels)


def _by_view(masks: Tensor, heads: int) -> ViewMasks:
    """Regroups masks [B, T, 3 * heads, H, W] by the plane on which each view looks."""
    hw, tw, th = masks.split(heads, dim=2)
    return ViewMasks(
        hw=hw.flatten(0, 1).flatten(2),
        tw=tw.permute(0, 3, 2, 1, 4).flatten(0, 1).flatten(2),
        th=th.permute(0, 4, 2, 1, 3).flatten(0, 1).flatten(2),
    )
