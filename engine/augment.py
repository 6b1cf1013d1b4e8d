"""Augmentation of a batch, drawn from the step so that a resumed run repeats it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..datasets.transforms import RecolourAugmentation, VideoAugmentation
from .config import TrainingConfig
from .runtime import generator
from .session import Session


class Augmenter:
    """Moves uint8 clips to the device and augments them there.

    Args:
        session: modalities of the tracks, and the device.
        config: which augmentation.
        stream: number that keeps the draws of different stages apart.
    """

    def __init__(self, session: Session, config: TrainingConfig, stream: int) -> None:
        self.runtime = session.runtime
        self.modalities = torch.from_numpy(session.modalities).long()
        self.seed = config.seed
        self.stream = stream
        self.augmentation = (
            VideoAugmentation() if config.augmentation == "published" else RecolourAugmentation()
        )

    def __call__(self, clips: Tensor, index: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Augmented clips and their modalities.

        Args:
            clips: [B, T, 3, H, W] uint8.
            index: [B] track numbers.
            step: step of the run.

        Returns:
            [B, T, 3, H, W] float32 and [B] int64, on the device.
        """
        device = self.runtime.device
        modalities = self.modalities[index].to(device)
        stream = generator(self.seed, self.stream, step, device=device)
        return self.augmentation(
            clips.to(device, non_blocking=True), modalities, stream
        ), modalities
