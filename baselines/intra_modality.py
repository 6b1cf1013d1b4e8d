"""Stage 1a: clusters, memories and batches within each modality."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..datasets.samplers import ClusterBatchSampler
from ..datasets.track import Modality
from ..engine.augment import Augmenter
from ..engine.session import Session
from ..engine.stages import Stage
from ..losses import ContrastiveLoss
from ..memory import ClusterMemory, cluster_means
from ..memory.cluster import cluster_memory
from ..models.network import Network
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from . import schedules
from .settings import BaselineSettings


class IntraModality(Stage):
    """Each iteration draws one visible and one infrared P×K batch, in one forward pass.

    Source: stage one of ADCA / PGM / MMM; every epoch clusters anew with the present features.
    """

    name = "intra_modality"
    stream = 12

    def __init__(self, session: Session, settings: BaselineSettings, model: Network) -> None:
        super().__init__(self.scheduled(settings))
        self.session = session
        self.settings = settings
        self.model = model
        self.evaluator = session.evaluator
        self.steps = settings.steps
        self.augment = Augmenter(
            session, settings.augmentation, settings.network, self.stream, views=2
        )
        self.contrast = ContrastiveLoss(settings.contrast_temperature)
        self.labels = np.full(len(session.tracks), -1, np.int64)
        self.memories: dict[int, ClusterMemory] = {}

    scheduled = staticmethod(schedules.intra_modality)

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Extracts features, clusters, fills the memories."""
        super().begin_epoch(epoch, step)
        features = clustering_features(
            self.session.training_features(self.model), self.session.cameras, self.settings
        )
        self._cluster(features, epoch, step)
        self.evaluator.keep(
            features, self.labels, self.name, epoch + 1, unified=self._unified_labels()
        )

    def _cluster(self, features: Tensor, epoch: int, step: int) -> None:
        self.labels = intra_modality_labels(
            features, self.session.modalities, self.settings, say=self.session.say
        )
        for modality in Modality:
            self.evaluator.labels(self.labels, self.name, epoch + 1, step, modality, features)
            chosen = torch.from_numpy(self.session.modalities == modality)
            self.memories[int(modality)] = self._memory(
                cluster_means(features[chosen], torch.from_numpy(self.labels)[chosen])
            )

    def _unified_labels(self) -> np.ndarray | None:
        """[N] labels over both modalities, where the stage has any."""
        return None

    def _memory(self, prototypes: Tensor) -> ClusterMemory:
        return cluster_memory(prototypes.to(self.session.runtime.device), self.settings)

    def _intra_batches(self, epoch: int, again: int = 0) -> list[list[int]]:
        """Visible and infrared halves of each batch, as track numbers; ``again`` draws others."""
        halves = []
        for modality in Modality:
            chosen = np.flatnonzero(self.session.modalities == modality)
            labels = self.labels[chosen]
            sampler = ClusterBatchSampler(
                labels,
                self.session.cameras[chosen],
                min(self.settings.p_num, int(labels.max(initial=-1)) + 1),
                self.settings.k_num,
                self.settings.steps,
                seed=(self.settings.seed, self.stream, int(modality)),
            )
            sampler.set_epoch(epoch, again)
            halves.append([chosen[batch].tolist() for batch in sampler])
        return [visible + infrared for visible, infrared in zip(*halves)]

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips and track numbers."""
        return self.session.training_clips(
            self._intra_batches(epoch), (self.settings.seed, self.stream, epoch)
        )

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Memory loss of each modality, and the contrast of the batch's pseudo-labels."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        return self._intra_losses(output.embeddings, batch.tracks, batch.modalities)

    def _intra_losses(
        self, embeddings: Tensor, index: Tensor, modalities: Tensor
    ) -> dict[str, Tensor]:
        labels = torch.from_numpy(self.labels)[index].to(embeddings.device)
        losses = {}
        for modality in Modality:
            chosen = modalities == modality
            rows, targets = embeddings[chosen], labels[chosen]
            memory = self.memories[int(modality)]
            name = modality.name.lower()
            losses[f"{name} memory"] = self.settings.memory_weight * memory(rows, targets)
            self.writes.later(memory, rows, targets)
        if self.settings.contrast_weight:
            losses["contrast"] = self.settings.contrast_weight * self.contrast(
                embeddings, labels, modalities
            )
        return losses
