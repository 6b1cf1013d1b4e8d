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
from ..engine.network import build_network
from ..engine.session import Session
from ..errors import UserError
from ..losses import ContrastiveLoss, ModalityAlignmentLoss
from ..losses.registry import extra_losses
from ..mmm.config import MMMConfig
from ..mmm.separation import separation_losses
from ..models.network import BatchOutput, Network

STREAM = 21


def relabel(identities: np.ndarray) -> np.ndarray:
    """Identities as classes 0 … C−1, in ascending order."""
    return np.unique(identities, return_inverse=True)[1].astype(np.int64)


class Supervised:
    """L = ID_clip + ID_frame + MMA_clip + MMA_frame + OFR + Σ DAC (M3-ReID, section III).

    An image network has neither frames nor masks: ID + MMA. With ``separation_weight`` OFR and DAC
    are scaled, with ``contrast_weight`` an in-batch contrast of the clips is added; the published
    recipe has 1 and 0.
    """

    name = "supervised"

    def __init__(
        self, session: Session, config: MMMConfig, model: Network, classes: np.ndarray
    ) -> None:
        self.session = session
        self.config = config
        self.model = model
        self.classes = classes
        self.epochs = config.epochs
        self.lr = config.lr
        self.augment = Augmenter(session, config, STREAM)
        self.alignment = ModalityAlignmentLoss()
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
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        classes = torch.from_numpy(self.classes)[batch.tracks].to(output.embeddings.device)
        losses = self._identity_losses(output, classes)
        losses.update(self._alignment_losses(output, classes, batch.modalities))
        config = self.config
        losses.update(separation_losses(output, config.separation_weight))
        if config.contrast_weight:
            losses["contrast"] = config.contrast_weight * self.contrast(output.embeddings, classes)
        losses.update(extra_losses(config.extra_loss, output.pooled, classes, batch.modalities))
        return losses

    def _identity_losses(self, output: BatchOutput, classes: Tensor) -> dict[str, Tensor]:
        assert output.logits is not None
        losses = {"ID clip": F.cross_entropy(output.logits.float(), classes)}
        if output.frame_logits is not None:
            losses["ID frame"] = F.cross_entropy(
                output.frame_logits.flatten(0, 1).float(),
                classes.repeat_interleave(output.frame_logits.shape[1]),
            )
        return losses

    def _alignment_losses(
        self, output: BatchOutput, classes: Tensor, modalities: Tensor
    ) -> dict[str, Tensor]:
        weight = self.config.mma_weight
        if not weight:
            return {}
        losses = {"MMA clip": weight * self.alignment(output.embeddings, classes, modalities)}
        if output.frames is not None:
            frames = output.frames.shape[1]
            losses["MMA frame"] = weight * self.alignment(
                output.frames.flatten(0, 1),
                classes.repeat_interleave(frames),
                modalities.repeat_interleave(frames),
            )
        return losses

    def after_step(self) -> None:
        """No memory to write."""

    def state(self) -> dict[str, Any]:
        """None: every draw depends on the step alone."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""


def start_supervised(session: Session, config: MMMConfig) -> tuple[Network, Supervised]:
    """The network with a class for each identity of the training tracks, and its stage.

    Raises:
        UserError: a track has no identity, there is a single one, or the sampler finds no batch.
    """
    unknown = sum(track.identity is None for track in session.tracks)
    if unknown:
        raise UserError(f"--supervised: {unknown} training tracks have no identity")
    classes = relabel(np.array([track.identity for track in session.tracks]))
    if classes.max() < 1:
        raise UserError(
            f"--supervised needs at least 2 identities to tell apart; the "
            f"{len(classes)} training tracks of {config.data_dir} show one"
        )
    model = build_network(config, session.runtime, int(classes.max()) + 1)
    return model, Supervised(session, config, model, classes)
