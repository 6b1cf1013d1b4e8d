"""Stage 1a: clusters, memories and batches within each modality."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import transfers
from ..datasets.samplers import ClusterBatchSampler
from ..datasets.track import Modality
from ..engine.augment import Augmenter
from ..engine.checkpoint_fit import restored_labels
from ..engine.session import Session
from ..engine.stages import Stage
from ..losses import ContrastiveLoss
from ..memory import ClusterMemory, cluster_means
from ..memory.cluster import cluster_memory
from ..models.network import Network
from ..pseudo_labels.labelling import clustering_features, intra_modality_labels
from ..pseudo_labels.refinement import LabelRefinement
from ..pseudo_labels.settled_labels import SettledLabels
from ..transfers import to_device
from . import schedules
from .modality_memories import memory_losses
from .settings import BaselineSettings


class IntraModality(Stage):
    """Each iteration draws one visible and one infrared P×K batch, in one forward pass.

    Source: stage one of ADCA / PGM / MMM; every epoch clusters anew with the present features.
    """

    name = "intra_modality"
    stream = 12
    scheduled = staticmethod(schedules.intra_modality)
    steadiness: SettledLabels

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
        self.memories: dict[Modality, ClusterMemory] = {}
        self.refinement = LabelRefinement(settings, session.say)
        self.steadiness = SettledLabels(settings)

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Extracts features, clusters, fills the memories."""
        super().begin_epoch(epoch, step)
        features = clustering_features(
            self.session.training_features(self.model), self.session.cameras, self.settings
        )
        self._cluster(features, epoch, step)
        self.steadiness.see(self._compared_labels(), epoch)
        self.evaluator.keep(
            features, self.labels, self.name, epoch + 1, unified=self._unified_labels()
        )

    def _cluster(self, features: Tensor, epoch: int, step: int) -> None:
        self.labels = intra_modality_labels(
            features,
            self.session.modalities,
            self.settings,
            cameras=self.session.cameras,
            refinement=self.refinement,
            say=self.session.say,
        )
        for modality in Modality:
            self.evaluator.labels(self.labels, self.name, epoch + 1, step, modality, features)
            chosen = self.session.modalities == modality
            self.memories[modality] = self._memory(
                cluster_means(transfers.rows_at(features, chosen), self.labels[chosen])
            )

    def _unified_labels(self) -> np.ndarray | None:
        """[N] labels over both modalities, where the stage has any."""
        return None

    def _compared_labels(self) -> np.ndarray:
        """[N] labels that have to settle before the stage hurries: unified, or of both sides."""
        unified = self._unified_labels()
        if unified is not None:
            return unified
        sides = 2 * self.labels + (self.session.modalities == Modality.VISIBLE)
        return np.where(self.labels < 0, -1, sides)

    def _memory(self, prototypes: Tensor) -> ClusterMemory:
        return cluster_memory(prototypes.to(self.session.runtime.device), self.settings)

    def _drawn(self, labels: np.ndarray, epoch: int, kind: int = 0) -> list[list[int]]:
        """Visible and infrared halves of each batch, as track numbers.

        The sides are drawn apart: P clusters × K tracks of each, from several cameras.

        Args:
            labels: [N], -1 is never drawn.
            epoch: of the stage.
            kind: which of the batches that take turns.
        """
        batch, halves = self.phase.batches[kind], []
        for modality in Modality:
            chosen = np.flatnonzero(self.session.modalities == modality)
            own = labels[chosen]
            sampler = ClusterBatchSampler(
                own,
                self.session.cameras[chosen],
                min(batch.p, len(np.unique(own[own >= 0]))),
                batch.k,
                self.settings.steps,
                seed=(self.settings.seed, self.stream, int(modality), kind),
            )
            sampler.set_epoch(epoch)
            halves.append([chosen[rows].tolist() for rows in sampler])
        return [visible + infrared for visible, infrared in zip(*halves)]

    def track_batches(self, epoch: int) -> list[list[int]]:
        """Track numbers of the batches of an epoch, visible halves first."""
        return self._drawn(self.labels, epoch)

    def batches(self, epoch: int, first: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips and track numbers."""
        return self.session.training_clips(
            self.track_batches(epoch), (self.settings.seed, self.stream, epoch), first=first
        )

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Memory loss of each modality, and the contrast of the batch's pseudo-labels."""
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            output = self.model.forward_features(batch.images, batch.modalities)
        return self.feature_losses(output.embeddings, batch.tracks, batch.modalities)

    def state(self) -> dict[str, Any]:
        """What the next epoch's labels take from those before, and are compared with."""
        held = {"refinement": self.refinement.state(), "settled": self.steadiness.state()}
        return {name: state for name, state in held.items() if state}

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes it back."""
        self.refinement.load_state(state.get("refinement", {}))
        self.steadiness.load_state(state.get("settled", {}))

    def epoch_state(self) -> dict[str, Any]:
        """Clusters and memories."""
        # Plain numbers: reading a checkpoint runs nothing, and so makes no Modality either.
        memories = {int(code): memory.prototypes for code, memory in self.memories.items()}
        return {"labels": torch.from_numpy(self.labels), "memories": memories}

    def continue_epoch(self, epoch: int, step: int, state: dict[str, Any]) -> None:
        """Takes them back."""
        super().continue_epoch(epoch, step, state)
        self.labels = restored_labels(state, "labels", len(self.session.tracks))
        held = state["memories"]
        self.memories = {code: self._memory(held[int(code)]) for code in Modality}

    def feature_losses(
        self, embeddings: Tensor, index: Tensor, modalities: Tensor
    ) -> dict[str, Tensor]:
        """The loss terms of given features, and what the memories are to take in after the step.

        Args:
            embeddings: [B, D].
            index: [B] track numbers, on the CPU.
            modalities: [B], on the CPU.
        """
        weights = self.phase.losses
        labels, device = torch.from_numpy(self.labels)[index], embeddings.device
        losses = memory_losses(self.memories, embeddings, labels, modalities, weights, self.writes)
        if "contrast" in weights:
            groups = to_device(modalities, device)
            loss = self.contrast(embeddings, to_device(labels, device), groups)
            losses["contrast"] = weights["contrast"] * loss
        return losses
