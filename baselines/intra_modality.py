"""Stage 1a: clusters, memories and batches within each modality."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..datasets.samplers import ClusterBatchSampler
from ..datasets.track import Modality
from ..engine.augment import Augmenter
from ..engine.session import Session
from ..losses import ContrastiveLoss
from ..memory import ClusterMemory, cluster_means
from ..models.network import Network
from ..pseudo_labels.evaluator import PseudoLabelEvaluator
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from .config import BaselineConfig

STREAM = 12


class IntraModality:
    """Each iteration draws one visible and one infrared P×K batch, in one forward pass.

    Source: stage one of ADCA / PGM / MMM; every epoch clusters anew with the present features.
    """

    name = "intra_modality"
    stream = STREAM

    def __init__(
        self,
        session: Session,
        config: BaselineConfig,
        model: Network,
        evaluator: PseudoLabelEvaluator,
    ) -> None:
        self.session = session
        self.config = config
        self.model = model
        self.evaluator = evaluator
        self.epochs = config.intra_epochs
        self.lr = config.lr
        self.milestones = tuple(config.steps * epoch for epoch in config.lr_steps)
        self.augment = Augmenter(session, config, self.stream, views=2)
        self.contrast = ContrastiveLoss(config.contrast_temperature)
        self.labels = np.full(len(session.tracks), -1, np.int64)
        self.memories: dict[int, ClusterMemory] = {}
        self._pending: list[tuple[ClusterMemory, Tensor, Tensor]] = []

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.config.steps

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Extracts features, clusters, fills the memories."""
        features = clustering_features(
            self.session.training_features(self.model), self.session, self.config
        )
        self._cluster(features, epoch, step)
        self.evaluator.keep(
            features, self.labels, self.name, epoch + 1, unified=self._unified_labels()
        )

    def _cluster(self, features: Tensor, epoch: int, step: int) -> None:
        self.labels = intra_modality_labels(features, self.session, self.config)
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
        config = self.config
        return ClusterMemory(
            prototypes.to(self.session.runtime.device),
            temperature=config.memory_temperature,
            momentum=config.memory_momentum,
            mode=config.memory_mode,
        )

    def _intra_batches(self, epoch: int) -> list[list[int]]:
        """Visible and infrared halves of each batch, as track numbers."""
        halves = []
        for modality in Modality:
            chosen = np.flatnonzero(self.session.modalities == modality)
            labels = self.labels[chosen]
            sampler = ClusterBatchSampler(
                labels,
                self.session.cameras[chosen],
                min(self.config.p_num, int(labels.max(initial=-1)) + 1),
                self.config.k_num,
                self.config.steps,
                seed=self.config.seed + self.stream,
            )
            sampler.set_epoch(epoch)
            halves.append([chosen[batch].tolist() for batch in sampler])
        return [visible + infrared for visible, infrared in zip(*halves)]

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips and track numbers."""
        return self.session.training_clips(
            self._intra_batches(epoch), (self.config.seed, self.stream, epoch)
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
        self._pending = []
        for modality in Modality:
            chosen = modalities == modality
            rows, targets = embeddings[chosen], labels[chosen]
            memory = self.memories[int(modality)]
            name = modality.name.lower()
            losses[f"{name} memory"] = self.config.memory_weight * memory(rows, targets)
            self._pending.append((memory, rows.detach(), targets))
        if self.config.contrast_weight:
            losses["contrast"] = self.config.contrast_weight * self.contrast(
                embeddings, labels, modalities
            )
        return losses

    def after_step(self) -> None:
        """Writes the memories, after the backward pass that read them."""
        for memory, rows, targets in self._pending:
            memory.update(rows, targets)
        self._pending = []

    def state(self) -> dict[str, Any]:
        """None: each epoch clusters anew."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Nothing to take back."""
