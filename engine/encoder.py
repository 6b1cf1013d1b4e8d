"""A trained network as a function from raw clips to features."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..datasets.transforms import normalise
from ..models.network import Network
from .runtime import Runtime


class Encoder:
    """Evaluation-mode features of a network.

    Args:
        model, runtime: the network, where and how precisely it computes.
        flip: average the clip with its mirror image.
        unit: normalise the features; without, they are what the classifier takes.
        view: changes the normalised clips, for instance to one channel; None leaves them.
    """

    def __init__(
        self,
        model: Network,
        runtime: Runtime,
        *,
        flip: bool = False,
        unit: bool = True,
        view: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.model = model
        self.runtime = runtime
        self.flip = flip
        self.unit = unit
        self.view = view

    @torch.inference_mode()
    def __call__(self, clips: Tensor, modalities: Tensor | Modality | None = None) -> Tensor:
        """Features of a batch of clips.

        Args:
            clips: [B, T, 3, H, W] uint8.
            modalities: of all clips, or of each, [B]; a network with one stream for both needs
                none.

        Returns:
            [B, D] float32, unit rows unless ``unit`` is off.

        Raises:
            ValueError: a two-stream network, and no modalities are given.
        """
        was_training = self.model.training
        self.model.eval()
        try:
            images = normalise(clips.to(self.runtime.device, non_blocking=True))
            if self.view is not None:
                images = self.view(images)
            with self.runtime.test_autocast():
                features = self._forward(images, modalities).float()
                if self.flip:
                    mirrored = self._forward(images.flip(-1), modalities).float()
                    features = features + mirrored if self.unit else (features + mirrored) / 2
        finally:
            self.model.train(was_training)
        return F.normalize(features, dim=1) if self.unit else features

    def _forward(self, images: Tensor, modalities: Tensor | Modality | None) -> Tensor:
        if self.unit:
            return self.model.embed(images, modalities)
        return self.model.forward_features(images, modalities).embeddings
