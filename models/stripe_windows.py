"""Horizontal stripes as channels, so that pooling keeps whether something is worn up or down."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class StripeWindows(nn.Module):
    """Repeats a feature map once a stripe, seen through that stripe's window.

    Pooling over a whole map forgets where on the body a pattern was; a deep network knows from its
    large receptive field, a thin one does not. The windows are trapezia over the height that
    overlap by half a stripe, so that a box that sits a little high changes little. Parts as
    horizontal stripes: Sun et al., "Beyond part models" (ECCV 2018).

    Args:
        stripes: number of stripes S.
    """

    def __init__(self, stripes: int = 4) -> None:
        super().__init__()
        self.stripes = stripes

    def windows(self, height: int, like: Tensor) -> Tensor:
        """Weight of each row in each stripe, [S, height], in [0, 1]."""
        row = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) / height
        centre = torch.arange(self.stripes, device=like.device, dtype=like.dtype) + 0.5
        distance = (row * self.stripes - centre[:, None]).abs()
        return (1.5 - distance).clamp(0, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Windows of a feature map.

        Args:
            features: [N, C, H, W].

        Returns:
            [N, S * C, H, W], the first stripe's channels first.
        """
        windows = self.windows(features.shape[2], features)
        return torch.cat([features * window[:, None] for window in windows], dim=1)
