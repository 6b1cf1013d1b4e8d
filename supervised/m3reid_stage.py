"""Training from the data set's labels: the published M3-ReID recipe."""

from __future__ import annotations

from collections.abc import Iterable

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
from ..engine.stages import Stage
from ..errors import UserError
from ..losses import ContrastiveLoss, ModalityAlignmentLoss
from ..losses.inputs import at_least_float32
from ..losses.registry import extra_losses
from ..losses.separation import separation_losses
from ..models.network import BatchOutput, Network
from ..transfers import to_device
from .schedule import supervised_schedule
from .settings import SupervisedSettings


def relabel(identities: np.ndarray) -> np.ndarray:
    """Identities as classes 0 … C−1, in ascending order."""
    return np.unique(identities, return_inverse=True)[1].astype(np.int64)


class Supervised(Stage):
    """L = ID_clip + ID_frame + MMA_clip + MMA_frame + OFR + Σ DAC (M3-ReID, section III).

    An image network has neither frames nor masks: ID + MMA. With ``separation_weight`` OFR and DAC
    are scaled, with ``contrast_weight`` an in-batch contrast of the clips is added; the published
    recipe has 1 and 0.
    """

    name = "supervised"
    stream = 21

    def __init__(
        self, session: Session, settings: SupervisedSettings, model: Network, classes: np.ndarray
    ) -> None:
        super().__init__(supervised_schedule(settings))
        self.session = session
        self.settings = settings
        self.model = model
        self.classes = classes
        self.augment = Augmenter(session, settings.augmentation, settings.network, self.stream)
        self.alignment = ModalityAlignmentLoss()
        self.contrast = ContrastiveLoss(settings.contrast_temperature)
        try:
            self.sampler = self._sampler()
        except ValueError as error:
            raise UserError(f"--supervised, --sampler {settings.sampler}: {error}") from error
        self.steps = settings.steps or len(self.sampler)

    def _sampler(self) -> EpochBatchSampler:
        settings, classes, modalities = self.settings, self.classes, self.session.modalities
        p, k, seed = settings.p_num, settings.k_num, (settings.seed, self.stream)
        if settings.sampler == "identity":
            return IdentityBatchSampler(classes, p, k, seed=seed)
        if settings.sampler == "modality-ratio":
            return ModalityRatioBatchSampler(classes, modalities, p, k, missing="skip", seed=seed)
        if settings.sampler == "half-random":
            return HalfRandomBatchSampler(classes, modalities, p * k, seed=seed)
        if settings.sampler == "half-identity":
            return HalfIdentityBatchSampler(classes, modalities, p, k, missing="skip", seed=seed)
        return InterleavedBatchSampler(classes, modalities, p, k, missing="skip", seed=seed)

    def batches(self, epoch: int, first: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips and track numbers; several passes of the sampler where --steps asks."""
        chosen: list[list[int]] = []
        passes = 0
        while len(chosen) < self.steps:
            self.sampler.set_epoch(epoch, passes)
            drawn = list(self.sampler)
            if not drawn:
                break
            chosen += drawn
            passes += 1
        return self.session.training_clips(
            chosen[: self.steps], (self.settings.seed, self.stream, epoch), first=first
        )

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """The terms of the published loss."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        device = output.embeddings.device
        classes = to_device(torch.from_numpy(self.classes)[batch.tracks], device)
        modalities = to_device(batch.modalities, device)
        losses = self._identity_losses(output, classes)
        losses.update(self._alignment_losses(output, classes, modalities))
        weights = self.phase.losses
        losses.update(separation_losses(output, weights))
        if "contrast" in weights:
            losses["contrast"] = weights["contrast"] * self.contrast(output.embeddings, classes)
        extra = self.settings.extra_loss
        losses.update(extra_losses(extra, output.pooled, classes, modalities))
        return losses

    def _identity_losses(self, output: BatchOutput, classes: Tensor) -> dict[str, Tensor]:
        assert output.logits is not None
        weights = self.phase.losses
        loss = F.cross_entropy(at_least_float32(output.logits), classes)
        losses = {"ID clip": weights["ID clip"] * loss}
        if output.frame_logits is not None:
            loss = F.cross_entropy(
                at_least_float32(output.frame_logits.flatten(0, 1)),
                classes.repeat_interleave(output.frame_logits.shape[1]),
            )
            losses["ID frame"] = weights["ID frame"] * loss
        return losses

    def _alignment_losses(
        self, output: BatchOutput, classes: Tensor, modalities: Tensor
    ) -> dict[str, Tensor]:
        weights, losses = self.phase.losses, {}
        if "MMA clip" in weights:
            loss = self.alignment(output.embeddings, classes, modalities)
            losses["MMA clip"] = weights["MMA clip"] * loss
        if "MMA frame" in weights and output.frames is not None:
            frames = output.frames.shape[1]
            loss = self.alignment(
                output.frames.flatten(0, 1),
                classes.repeat_interleave(frames),
                modalities.repeat_interleave(frames),
            )
            losses["MMA frame"] = weights["MMA frame"] * loss
        return losses


def start_supervised(session: Session, settings: SupervisedSettings) -> tuple[Network, Supervised]:
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
            f"{len(classes)} training tracks of {settings.data_dir} show one"
        )
    model = build_network(settings, session, int(classes.max()) + 1)
    return model, Supervised(session, settings, model, classes)
