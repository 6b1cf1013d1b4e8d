"""Input of a network that was trained with another mean and deviation than ImageNet's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..datasets.transforms.normalise import IMAGENET_MEAN, IMAGENET_STD


class InputStatistics(nn.Module):
    """Turns frames that were normalised with ImageNet's statistics into those of other ones.

    Everything before the network, augmentation included, is the same for all networks; this line at
    its entrance is all that differs.

    Args:
        mean, std: of red, green and blue, for pixels in [0, 1].
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        means, stds, own, own_std = (
            torch.tensor(values, dtype=torch.float64).view(3, 1, 1)
            for values in (IMAGENET_MEAN, IMAGENET_STD, mean, std)
        )
        # No part of the state: they follow from the network's name.
        self.register_buffer("scale", (stds / own_std).float(), persistent=False)
        self.register_buffer("shift", ((means - own) / own_std).float(), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """[N, 3, H, W] to the same shape."""
        return images * self.scale + self.shift


def differs(mean: Sequence[float], std: Sequence[float]) -> bool:
    """Whether the statistics are others than ImageNet's.

    Args:
        mean, std: of red, green and blue, for pixels in [0, 1].
    """
    return (tuple(mean), tuple(std)) != (IMAGENET_MEAN, IMAGENET_STD)
