"""Non-local blocks: every position of a clip (or an image) looks at every other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NonLocalBlock(nn.Module):
    """Embedded-Gaussian non-local block with a residual connection.

    ``y = BN(W(softmax(theta(x) phi(x)^T) g(x))) + x``; the softmax is taken without a scale. The
    attention runs through the framework's fused kernel, so the matrix of positions × positions is
    never stored. The final batch norm starts at zero: a new block changes nothing.

    Wang et al., "Non-local neural networks" (arXiv:1711.07971), equations 4 and 6.

    Args:
        channels: channels of the feature map.
        ratio: divisor of the inner width ``channels // ratio``, which is at least 1.
        xavier: whether the convolutions start with Xavier-uniform weights and biases of zero, or as
            the framework leaves them.
        subsample: take the maximum of phi and g over 2 × 2 positions first, so that every position
            looks at a quarter of them. Source: the same paper, section 3.3.
    """

    def __init__(
        self, channels: int, ratio: int = 4, *, xavier: bool = True, subsample: bool = False
    ) -> None:
        super().__init__()
        self.subsample = subsample
        inner = max(channels // ratio, 1)
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.g = nn.Conv2d(channels, inner, 1)
        self.project = nn.Conv2d(inner, channels, 1)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)
        if xavier:
            for conv in (self.theta, self.phi, self.g, self.project):
                nn.init.xavier_uniform_(conv.weight)
                assert conv.bias is not None
                nn.init.zeros_(conv.bias)

    def forward(self, frames: Tensor, num_frames: int = 1) -> Tensor:
        """Lets the positions of each group of frames exchange what they hold.

        Args:
            frames: feature maps, [B * T, C, H, W], the frames of a clip one after another; either
                memory layout, channels_last costs no copy.
            num_frames: T; the attention spans T·H·W positions (1 = within each image).

        Returns:
            [B * T, C, H, W] in the layout of the input.
        """
        # One 1×1 convolution with the three stacked weights reads the large map once, not thrice.
        embed = (self.theta, self.phi, self.g)
        weight = torch.cat([conv.weight for conv in embed])
        bias = torch.cat([conv.bias for conv in embed if conv.bias is not None])
        stacked = F.conv2d(frames, weight, bias)
        height, width = frames.shape[-2:]
        if self.subsample:
            looking, looked_at = stacked.tensor_split([self.theta.out_channels], dim=1)
            theta = _rows(looking, num_frames)
            # An odd side keeps its last row: no position is left unseen.
            pooled = F.max_pool2d(looked_at, 2, ceil_mode=True)
            phi, g = _rows(pooled, num_frames).chunk(2, dim=-1)
        else:
            theta, phi, g = _rows(stacked, num_frames).chunk(3, dim=-1)
        attended = self.attend(theta, phi, g)
        maps = attended.reshape(-1, height, width, attended.shape[-1]).permute(0, 3, 1, 2)
        if not frames.is_contiguous(memory_format=torch.channels_last):
            maps = maps.contiguous()
        # The first operand sets the layout: with one inner channel the projection's is arbitrary.
        return frames + self.norm(self.project(maps))

    def attend(self, theta: Tensor, phi: Tensor, g: Tensor) -> Tensor:
        """Sums g with the weights softmax(theta phi^T): [B, N, C'] and two of [B, M, C']."""
        query, key, value = theta.unsqueeze(1), phi.unsqueeze(1), g.unsqueeze(1)
        return F.scaled_dot_product_attention(query, key, value, scale=1.0).squeeze(1)


def _rows(maps: Tensor, num_frames: int) -> Tensor:
    """[B * T, C, H, W] to [B, T * H * W, C]; a view if channels_last."""
    rows = maps.flatten(2).transpose(1, 2).unflatten(0, (-1, num_frames)).flatten(1, 2)
    # A view of the other layout, of one frame; the fused attention wants rows in one piece.
    return rows if rows.stride(-1) == 1 else rows.contiguous()


class DotProductNonLocalBlock(NonLocalBlock):
    """Non-local block of AGW: dot product over the number of positions instead of a softmax.

    Without the softmax the product is associative, ``(theta phi^T) g = theta (phi^T g)``, so the
    work is linear in the number of positions. AGW uses one inner channel, and leaves the
    convolutions as the framework starts them.

    Ye et al., "Deep learning for person re-identification: a survey and outlook"
    (arXiv:2001.04193), section 4.2; Wang et al. (arXiv:1711.07971), equation 4.

    Args:
        channels: channels of the feature map.
        inner: inner channels.
    """

    def __init__(self, channels: int, inner: int = 1) -> None:
        super().__init__(channels, ratio=max(channels // inner, 1), xavier=False)

    def attend(self, theta: Tensor, phi: Tensor, g: Tensor) -> Tensor:
        """Sums g over all N positions with the weights theta phi^T / N; see the base class."""
        with torch.autocast(theta.device.type, enabled=False):
            wide = torch.promote_types(theta.dtype, torch.float32)
            # Divided first: the sum over positions would leave the range of float16 early.
            summary = (phi.to(wide) / phi.shape[1]).transpose(1, 2) @ g.to(wide)
            return (theta.to(wide) @ summary).to(theta.dtype)
