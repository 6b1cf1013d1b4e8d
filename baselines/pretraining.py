"""Pre-training from random weights: a tracklet already says that its frames are one person."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ..datasets.samplers import TrackContrastSampler
from ..datasets.track import Modality
from ..engine.augment import Augmenter
from ..engine.session import Session
from ..engine.stages import Stage
from ..losses import ContrastiveLoss
from ..models.network import Network
from ..transfers import places, to_device
from . import schedules
from .settings import BaselineSettings


class Pretraining(Stage):
    """Contrasts two clips of a tracklet with other tracklets *of the same camera*.

    Untrained features tell cameras apart sooner than people. With negatives of one camera only,
    the background says nothing, and the person has to.
    """

    name = "pretrain"
    stream = 11

    def __init__(self, session: Session, settings: BaselineSettings, model: Network) -> None:
        super().__init__(schedules.pretraining(settings))
        self.session = session
        self.settings = settings
        self.model = model
        self.steps = settings.pretrain_steps
        self.augment = Augmenter(session, settings.augmentation, settings.network, self.stream)
        self.loss = ContrastiveLoss(settings.contrast_temperature)
        self.sampler = TrackContrastSampler(
            session.modalities,
            session.cameras,
            settings.pretrain_tracks,
            settings.pretrain_steps,
            seed=(settings.seed, self.stream),
        )

    def batches(self, epoch: int, first: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
        """Each track of a batch twice, as two random clips."""
        self.sampler.set_epoch(epoch)
        twice = [batch + batch for batch in self.sampler]
        return self.session.training_clips(
            twice,
            (self.settings.seed, self.stream, epoch),
            self.settings.pretrain_frames,
            first=first,
        )

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """InfoNCE within each modality (each of which is one camera in a batch)."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        embeddings, device, losses = output.embeddings, output.embeddings.device, {}
        for modality in Modality:
            chosen = batch.modalities == modality
            name = f"{modality.name.lower()} contrast"
            rows = embeddings.index_select(0, places(chosen, device))
            loss = self.loss(rows, to_device(batch.tracks[chosen], device))
            losses[name] = self.phase.losses[name] * loss
        return losses
