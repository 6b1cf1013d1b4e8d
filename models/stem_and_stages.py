"""A network without its head, cut into stem and four stages: what M3-ReID and AGW are built on."""

from __future__ import annotations

from torch import Tensor, nn

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")


class Backbone(nn.Module):
    """A network without its head, of any family.

    Args:
        stem: [N, 3, H, W] to the input of the first stage; AGW copies it for each modality.
        layers: the four stages, each a sequence of blocks. The last blocks of a stage, after which
            non-local blocks stand, all give the stage's channels.
        stage_channels: channels after each stage.
        prefix_tokens: class tokens of a vision transformer, which its maps carry in rows above the
            image (see ``token_maps``); 0 of all others.
    """

    def __init__(
        self,
        stem: nn.Module,
        layers: list[nn.Sequential],
        stage_channels: tuple[int, ...],
        *,
        prefix_tokens: int = 0,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.stage_channels = stage_channels
        self.prefix_tokens = prefix_tokens

    @property
    def out_channels(self) -> int:
        """Channels of the last feature map."""
        return self.stage_channels[-1]

    @property
    def layers(self) -> tuple[nn.Sequential, ...]:
        """The four stages in order."""
        return self.layer1, self.layer2, self.layer3, self.layer4

    def forward(self, images: Tensor) -> Tensor:
        """Runs stem and stages: [N, 3, H, W] to [N, out_channels, h, w], not negative."""
        features = self.stem(images)
        for layer in self.layers:
            features = layer(features)
        return features
