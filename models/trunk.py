"""The four stages with the non-local blocks in between, shared by M3-ReID and AGW."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .non_local import NonLocalBlock
from .stem_and_stages import Backbone
from .token_maps import prefix_rows

# Non-local blocks follow the last 2 blocks of stage 2 and the last 3 of stage 3: blocks 2, 3 and
# 3, 4, 5 of ResNet-50. A stage with fewer blocks has one after each.
NON_LOCAL_STAGE_2 = 2
NON_LOCAL_STAGE_3 = 3


class NonLocalTrunk(nn.Module):
    """Stages of a backbone, without its stem, and non-local blocks.

    Args:
        backbone: its four stages become parts of the trunk.
        block: builds a non-local block from a number of channels.
    """

    def __init__(self, backbone: Backbone, block: Callable[[int], NonLocalBlock]) -> None:
        super().__init__()
        self.layer1, self.layer2, self.layer3, self.layer4 = backbone.layers
        self.out_channels = backbone.out_channels
        self.prefix_tokens = backbone.prefix_tokens
        _, second, third, _ = backbone.stage_channels
        self.non_local2 = nn.ModuleList(
            block(second) for _ in range(min(NON_LOCAL_STAGE_2, len(self.layer2)))
        )
        self.non_local3 = nn.ModuleList(
            block(third) for _ in range(min(NON_LOCAL_STAGE_3, len(self.layer3)))
        )

    def forward(self, features: Tensor, num_frames: int = 1) -> Tensor:
        """Runs the stages.

        Args:
            features: output of a stem, [B * T, C, H, W], the frames of a clip one after another.
            num_frames: T, over which the non-local blocks reach.

        Returns:
            [B * T, out_channels, h, w], not negative.
        """
        return self.after_first(self.layer1(features), num_frames)

    def after_first(self, features: Tensor, num_frames: int = 1) -> Tensor:
        """Runs the stages after the first: its maps, [B * T, C, H, W], to the last ones."""
        features = self._interleave(self.layer2, self.non_local2, features, num_frames)
        features = self._interleave(self.layer3, self.non_local3, features, num_frames)
        return self.layer4(features)

    def after_stem(
        self,
        stem: Callable[[], Tensor],
        num_frames: int = 1,
        keep: Callable[[Callable[[], Tensor]], Tensor] | None = None,
    ) -> Tensor:
        """Runs stem and stages.

        Args:
            stem: computes what the first stage gets.
            num_frames: as in :meth:`forward`.
            keep: as in ``Network.keep``.
        """
        if keep is None:
            return self(stem(), num_frames)
        return self.after_first(keep(lambda: self.layer1(stem())), num_frames)

    def _interleave(
        self, layer: nn.Sequential, non_local: nn.ModuleList, features: Tensor, num_frames: int
    ) -> Tensor:
        """Runs a stage whose last blocks are followed by a non-local block each."""
        plain = len(layer) - len(non_local)
        for index, block in enumerate(layer):
            features = block(features)
            if index >= plain:
                features = self._across(non_local[index - plain], features, num_frames)
        return features

    def _across(self, block: nn.Module, features: Tensor, num_frames: int) -> Tensor:
        """A non-local block on the positions of the image; class tokens are none of them."""
        if not self.prefix_tokens:
            return block(features, num_frames)
        first = prefix_rows(self.prefix_tokens, features.shape[3])
        positions = block(features[:, :, first:], num_frames)
        return torch.cat([features[:, :, :first], positions], dim=2)
