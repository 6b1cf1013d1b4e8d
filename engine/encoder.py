"""A trained network as a function from raw clips to features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..datasets.transforms import normalise
from ..models.network import Network
from .kept_maps import KeptMaps
from .runtime import Runtime


class Encoder:
    """Evaluation-mode features of a network.

    Args:
        model, runtime: the network, where and how precisely it computes.
        flip: average the features of the clip and of its mirror image.
        renormalise: scale the average of two unit features to length 1 again, as a ranking wants
            it; clustering and memories take it as it is, shorter than 1. Source: stage one of MMM.
        kept: maps of frozen first stages from earlier passes; None computes them each time.
    """

    def __init__(
        self,
        model: Network,
        runtime: Runtime,
        *,
        flip: bool = False,
        renormalise: bool = True,
        kept: KeptMaps | None = None,
    ) -> None:
        self.model = model
        self.runtime = runtime
        self.flip = flip
        self.renormalise = renormalise
        self.kept = kept

    @torch.inference_mode()
    def __call__(self, clips: Tensor, modalities: Tensor | Modality | None = None) -> Tensor:
        """Features of a batch of clips.

        Args:
            clips: [B, T, 3, H, W] uint8.
            modalities: of all clips, or of each, [B]; a network with one stream for both needs
                none.

        Returns:
            [B, D] float32; unit rows unless ``renormalise`` is off and ``flip`` on.

        Raises:
            ValueError: a two-stream network, and no modalities are given.
        """
        was_training = self.model.training
        self.model.eval()
        try:
            images = normalise(clips.to(self.runtime.device, non_blocking=True))
            with self.runtime.test_autocast():
                self._keep(clips, modalities)
                features = self.model.embed(images, modalities).float()
                if self.flip:
                    self._keep(clips, modalities, mirrored=True)
                    mirrored = self.model.embed(images.flip(-1), modalities).float()
                    features = (features + mirrored) / 2
        finally:
            self.model.keep = None
            self.model.train(was_training)
        again = self.flip and self.renormalise
        return F.normalize(features, dim=1) if again else features

    def _keep(
        self, clips: Tensor, modalities: Tensor | Modality | None, *, mirrored: bool = False
    ) -> None:
        """Lets the network take maps of this batch from an earlier pass."""
        if self.kept is not None:
            of_each = torch.as_tensor(-1 if modalities is None else modalities)
            self.model.keep = self.kept.of_batch(self.model, clips, of_each, mirrored=mirrored)
