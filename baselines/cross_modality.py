"""Stage 1b: as 1a, plus joint clusters of both modalities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from ..datasets.samplers import UnifiedBatchSampler
from ..datasets.track import Modality
from ..engine.session import Session
from ..memory import ClusterMemory, joint_prototypes
from ..models.network import Network
from ..pseudo_labels.labelling import joint_labels
from . import schedules
from .intra_modality import IntraModality
from .settings import BaselineSettings

# Number of the random stream of joint batches, beside the modalities' own.
JOINT = len(Modality)


class CrossModality(IntraModality):
    """Batches of 1a alternate with batches of the joint clusters, each with its own step.

    Clusters of the modality-invariant Jaccard distance that hold both modalities form the joint
    memory; a prototype is the mean of its visible and its infrared mean. Where no such cluster is
    found, the epoch trains within the modalities only.
    """

    name = "cross_modality"
    stream = 13
    scheduled = staticmethod(schedules.cross_modality)

    def __init__(self, session: Session, settings: BaselineSettings, model: Network) -> None:
        super().__init__(session, settings, model)
        self.steps = 2 * settings.steps  # one joint batch after each batch of 1a
        self.joint = np.full(len(session.tracks), -1, np.int64)
        self.joint_memory: ClusterMemory | None = None
        self._joint_next = False

    def _cluster(self, features: Tensor, epoch: int, step: int) -> None:
        super()._cluster(features, epoch, step)
        self.joint = joint_labels(
            features, self.session.modalities, self.settings, say=self.session.say
        )
        self.evaluator.labels(self.joint, self.name, epoch + 1, step, None, features)
        self.joint_memory = None
        if self.joint.max(initial=-1) > 0:
            prototypes = joint_prototypes(
                features,
                torch.from_numpy(self.joint),
                torch.from_numpy(self.session.modalities),
            )
            self.joint_memory = self._memory(prototypes)
        else:
            self.session.say("cross-modality: no two clusters hold both modalities; epoch as in 1a")

    def _unified_labels(self) -> np.ndarray | None:
        return self.joint

    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches of 1a and joint batches in turn."""
        intra = self._intra_batches(epoch)
        if self.joint_memory is None:
            again = self._intra_batches(epoch, 1)
        else:
            sampler = UnifiedBatchSampler(
                self.joint,
                self.session.modalities,
                min(2 * self.settings.p_num, int(self.joint.max()) + 1),
                self.settings.k_num + self.settings.k_num % 2,
                self.settings.steps,
                seed=(self.settings.seed, self.stream, JOINT),
            )
            sampler.set_epoch(epoch)
            again = list(sampler)
        self._joint_next = False
        both = [batch for pair in zip(intra, again) for batch in pair]
        return self.session.training_clips(both, (self.settings.seed, self.stream, epoch))

    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Losses of 1a, or of the joint memory."""
        joint, self._joint_next = self._joint_next, not self._joint_next
        if not joint or self.joint_memory is None:
            return super().losses(clips, index, step)
        batch = self.augment(clips, index, step)
        with self.session.runtime.autocast():
            embeddings = self.model.forward_features(batch.images, batch.modalities).embeddings
        labels = torch.from_numpy(self.joint)[batch.tracks].to(embeddings.device)
        losses = {
            "joint memory": self.settings.memory_weight * self.joint_memory(embeddings, labels)
        }
        if self.settings.contrast_weight:
            losses["joint contrast"] = self.settings.contrast_weight * self.contrast(
                embeddings, labels
            )
        self.writes.later(self.joint_memory, embeddings, labels)
        return losses
