"""A trained network as a function from raw clips to unit features."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..datasets.transforms import normalise
from .runtime import Runtime


class Encoder:
    """Evaluation-mode features of a video network.

    Args:
        model: eval forward maps [B, T, 3, H, W] floats to unit vectors [B, D].
        runtime: device and precision.
        flip: average the clip with its mirror image.
    """

    def __init__(self, model: nn.Module, runtime: Runtime, *, flip: bool = False) -> None:
        self.model = model
        self.runtime = runtime
        self.flip = flip

    @torch.inference_mode()
    def __call__(self, clips: Tensor) -> Tensor:
        """uint8 clips [B, T, 3, H, W] to unit features [B, D], float32."""
        was_training = self.model.training
        self.model.eval()
        try:
            images = normalise(clips.to(self.runtime.device, non_blocking=True))
            with self.runtime.autocast():
                features = self.model(images).float()
                if self.flip:
                    features = features + self.model(images.flip(-1)).float()
        finally:
            self.model.train(was_training)
        return F.normalize(features, dim=1)
