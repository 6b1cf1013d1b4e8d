"""A trained network as a function from raw clips to features."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..datasets.track import Modality
from ..datasets.transforms import normalise
from .network_kinds import kind_of, unwrapped
from .runtime import Runtime


class Encoder:
    """Evaluation-mode features of a network.

    Args:
        model: a network of ours.
        runtime: device and precision.
        flip: average the clip with its mirror image.
        unit: normalise the features; without, they are what the classifier takes.
        view: changes the normalised clips, for instance to one channel; None leaves them.
    """

    def __init__(
        self,
        model: nn.Module,
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
            modality_of = self._modalities(modalities, images)
            with self.runtime.autocast():
                features = self._forward(images, modality_of).float()
                if self.flip:
                    mirrored = self._forward(images.flip(-1), modality_of).float()
                    features = features + mirrored if self.unit else (features + mirrored) / 2
        finally:
            self.model.train(was_training)
        return F.normalize(features, dim=1) if self.unit else features

    def _forward(self, images: Tensor, modalities: Tensor) -> Tensor:
        kind = kind_of(self.model)
        if self.unit:
            return kind.embed(self.model, images, modalities)
        return kind.features(unwrapped(self.model), images, modalities)  # type: ignore[arg-type]

    def _modalities(self, given: Tensor | Modality | None, images: Tensor) -> Tensor:
        if given is None:
            if kind_of(self.model).two_streams:
                raise ValueError(
                    "this network has a stream for each modality; say which modality the images "
                    "have"
                )
            given = Modality.VISIBLE
        if isinstance(given, Tensor):
            return given.to(images.device).long()
        return torch.full((len(images),), int(given), device=images.device)
