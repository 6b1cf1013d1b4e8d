"""Tokens of a vision transformer as feature maps, so that a stage takes and gives what others do.

A map of tokens is [N, C, r + h, w]: the h × w patches as they lie in the image, and above them the
class and register tokens, as many rows as they need, the rest of these rows zero. Nothing else has
to be passed from block to block, whatever the size of the image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def prefix_rows(prefix: int, width: int) -> int:
    """Rows that the class tokens take.

    Args:
        prefix: number of them.
        width: of the map, in patches.
    """
    return -(-prefix // width)


def to_map(tokens: Tensor, prefix: int, width: int) -> Tensor:
    """Tokens as a map.

    Args:
        tokens: [N, prefix + h * width, C], class tokens first.
        prefix: number of class tokens.
        width: of the map, in patches.

    Returns:
        [N, C, r + h, width].
    """
    spare = prefix_rows(prefix, width) * width - prefix
    if spare:
        filled = F.pad(tokens[:, :prefix], (0, 0, 0, spare))
        tokens = torch.cat([filled, tokens[:, prefix:]], dim=1)
    return tokens.transpose(1, 2).unflatten(2, (-1, width))


def to_tokens(features: Tensor, prefix: int) -> Tensor:
    """The tokens of a map that :func:`to_map` gave.

    Args:
        features: [N, C, r + h, w].
        prefix: number of class tokens.

    Returns:
        [N, prefix + h * w, C].
    """
    width = features.shape[3]
    rows = features.flatten(2).transpose(1, 2)
    first = prefix_rows(prefix, width) * width
    return rows if first == prefix else torch.cat([rows[:, :prefix], rows[:, first:]], dim=1)


class TokenStem(nn.Module):
    """Images to a map of tokens: all that a vision transformer does before its first block.

    Args:
        embed: a transformer of timm without blocks, norm and head, whose ``forward_features`` takes
            images [N, 3, H, W] to tokens [N, prefix + h * w, C].
        patch: height and width of a patch, pixels.
        prefix: number of class tokens.
        name: of the network, for messages.
    """

    def __init__(self, embed: nn.Module, patch: tuple[int, int], prefix: int, name: str) -> None:
        super().__init__()
        self.embed, self.patch, self.prefix, self.name = embed, patch, prefix, name

    def check_size(self, height: int, width: int) -> None:
        """Refuses frames that patches do not tile.

        Args:
            height, width: of a frame, pixels.

        Raises:
            ValueError: with the nearest sizes that fit.
        """
        sides = zip((height, width), self.patch)
        fitting = [max(1, round(side / patch)) * patch for side, patch in sides]
        if fitting != [height, width]:
            raise ValueError(
                f"{self.name} cuts frames into patches of {self.patch[0]} x {self.patch[1]} "
                f"pixels, which do not tile {height} x {width}; the nearest size that they tile is "
                f"{fitting[0]} x {fitting[1]} (--img-h {fitting[0]} --img-w {fitting[1]})"
            )

    def forward(self, images: Tensor) -> Tensor:
        """Embeds: [N, 3, H, W] to [N, C, r + h, w].

        Args:
            images: normalised as the network expects.

        Raises:
            ValueError: see :meth:`check_size`.
        """
        self.check_size(images.shape[2], images.shape[3])
        tokens = self.embed.forward_features(images)  # type: ignore[operator]
        return to_map(tokens, self.prefix, images.shape[3] // self.patch[1])


class OnTokens(nn.Module):
    """A module of tokens that takes and gives maps.

    Args:
        module: [N, L, C] to the same shape.
        prefix: number of class tokens.
    """

    def __init__(self, module: nn.Module, prefix: int) -> None:
        super().__init__()
        self.module, self.prefix = module, prefix

    def forward(self, features: Tensor) -> Tensor:
        """Runs the module on the tokens: [N, C, r + h, w] to the same shape."""
        tokens = self.module(to_tokens(features, self.prefix))
        return to_map(tokens, self.prefix, features.shape[3])


class WithoutPrefix(nn.Module):
    """The map of the patches alone, class tokens left out.

    Args:
        prefix: number of class tokens.
    """

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self.prefix = prefix

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, r + h, w] to [N, C, h, w]."""
        return features[:, :, prefix_rows(self.prefix, features.shape[3]) :]
