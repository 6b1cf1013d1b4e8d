"""Pre-training from random weights: a tracklet already says that its frames are one person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from ..datasets.samplers import TrackContrastSampler
from ..engine.augment import Augmenter
from ..engine.session import Session
from ..losses import ContrastiveLoss
from ..models.network import Network
from .config import BaselineConfig

STREAM = 11


class Pretraining:
    """Contrasts two clips of a tracklet with other tracklets *of the same camera*.

    Untrained features tell cameras apart sooner than people. With negatives of one camera only,
    the background says nothing, and the person has to.
    """

    name = "pretrain"

    def __init__(self, session: Session, config: BaselineConfig, model: Network) -> None:
        self.session = session
        self.config = config
        self.model = model
        self.epochs = config.resolved_pretrain_epochs
        self.lr = config.pretrain_lr
        self.milestones: tuple[int, ...] = ()
        self.augment = Augmenter(session, config, STREAM)
        self.loss = ContrastiveLoss(config.contrast_temperature)
        self.sampler = TrackContrastSampler(
            session.modalities,
            session.cameras,
            config.pretrain_tracks,
            config.pretrain_steps,
            seed=config.seed,
        )

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.config.pretrain_steps

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Nothing to prepare."""

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Each track of a batch twice, as two random clips."""
        self.sampler.set_epoch(epoch)
        twice = [batch + batch for batch in self.sampler]
        return self.session.training_clips(
            twice, (self.config.seed, STREAM, epoch), self.config.pretrain_frames
        )

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """InfoNCE within each modality (each of which is one camera in a batch)."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        tracks = batch.tracks.to(batch.modalities.device)
        losses = {}
        for name, code in (("visible", 0), ("infrared", 1)):
            chosen = batch.modalities == code
            losses[f"{name} contrast"] = self.loss(output.embeddings[chosen], tracks[chosen])
        return losses

    def after_step(self) -> None:
        """No memory to write."""

    def state(self) -> dict[str, Any]:
        """None: every draw depends on the step alone."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""
        assert not state
