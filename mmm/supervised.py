"""Training from the data set's labels: the published M3-ReID recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.samplers import (
    EpochBatchSampler,
    HalfIdentityBatchSampler,
    HalfRandomBatchSampler,
    IdentityBatchSampler,
    InterleavedBatchSampler,
    ModalityRatioBatchSampler,
)
from ..engine.augment import Augmenter
from ..engine.errors import UserError
from ..engine.session import Session
from ..losses import ContrastiveLoss, ModalityAlignmentLoss, SeparationLoss
from ..models import M3ReID
from .config import MMMConfig

STREAM = 21


def relabel(identities: np.ndarray) -> np.ndarray:
    """Identities as classes 0 … C−1, in ascending order."""
    return np.unique(identities, return_inverse=True)[1].astype(np.int64)


class Supervised:
    """L = ID_clip + ID_frame + MMA_clip + MMA_frame + OFR + Σ DAC (M3-ReID, section III).

    With ``separation_weight`` OFR and DAC are scaled, with ``contrast_weight`` an in-batch
    contrast of the clips is added; the published recipe has 1 and 0.
    """

    name = "supervised"

    def __init__(
        self, session: Session, config: MMMConfig, model: M3ReID, classes: np.ndarray
    ) -> None:
        self.session = session
        self.config = config
        self.model = model
        self.classes = classes
        self.epochs = config.epochs
        self.lr = config.lr
        self.augment = Augmenter(session, config, STREAM)
        self.alignment = ModalityAlignmentLoss()
        self.separation = SeparationLoss()
        self.contrast = ContrastiveLoss(config.contrast_temperature)
        try:
            self.sampler = self._sampler()
        except ValueError as error:
            raise UserError(f"--supervised, --sampler {config.sampler}: {error}") from error
        self.milestones = tuple(self.steps * epoch for epoch in config.lr_steps)

    def _sampler(self) -> EpochBatchSampler:
        config, classes, modalities = self.config, self.classes, self.session.modalities
        p, k, seed = config.p_num, config.k_num, config.seed
        if config.sampler == "identity":
            return IdentityBatchSampler(classes, p, k, seed=seed)
        if config.sampler == "modality-ratio":
            return ModalityRatioBatchSampler(classes, modalities, p, k, missing="skip", seed=seed)
        if config.sampler == "half-random":
            return HalfRandomBatchSampler(classes, modalities, p * k, seed=seed)
        if config.sampler == "half-identity":
            return HalfIdentityBatchSampler(classes, modalities, p, k, missing="skip", seed=seed)
        return InterleavedBatchSampler(classes, modalities, p, k, missing="skip", seed=seed)

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.config.steps or len(self.sampler)

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Nothing to prepare."""

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips and track numbers; several passes of the sampler where --steps asks."""
        chosen: list[list[int]] = []
        passes = 0
        while len(chosen) < self.steps:
            self.sampler.set_epoch(epoch * 1000 + passes)
            drawn = list(self.sampler)
            if not drawn:
                break
            chosen += drawn
            passes += 1
        return self.session.training_clips(chosen[: self.steps], (self.config.seed, STREAM, epoch))

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """The terms of the published loss."""
        images, modalities = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model(images)
        classes = torch.from_numpy(self.classes)[index].to(images.device)
        frames = output.frames.shape[1]
        frame_classes = classes.repeat_interleave(frames)
        config = self.config
        losses = {
            "ID clip": F.cross_entropy(output.clip_logits.float(), classes),
            "ID frame": F.cross_entropy(output.frame_logits.flatten(0, 1).float(), frame_classes),
        }
        if config.alignment_weight:
            losses["MMA clip"] = config.alignment_weight * self.alignment(
                output.clips, classes, modalities
            )
            losses["MMA frame"] = config.alignment_weight * self.alignment(
                output.frames.flatten(0, 1), frame_classes, modalities.repeat_interleave(frames)
            )
        if config.separation_weight:
            losses["OFR"] = config.separation_weight * self.separation(output.frames)
            losses["DAC"] = config.separation_weight * sum(
                (self.separation(mask) for mask in output.masks), start=images.new_zeros(())
            )
        if config.contrast_weight:
            losses["contrast"] = config.contrast_weight * self.contrast(output.clips, classes)
        return losses

    def after_step(self) -> None:
        """No memory to write."""

    def state(self) -> dict[str, Any]:
        """None: every draw depends on the step alone."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""
