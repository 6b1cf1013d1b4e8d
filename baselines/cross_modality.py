"""Stage 1b: as 1a, plus joint clusters of both modalities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..datasets.track import Modality
from ..engine.checkpoint_fit import restored_labels
from ..engine.session import Session
from ..memory import ClusterMemory, joint_prototypes
from ..models.network import Network
from ..pseudo_labels.labelling import in_both_modalities, joint_labels
from ..transfers import to_device
from . import schedules
from .intra_modality import IntraModality
from .modality_memories import memory_losses
from .settings import BaselineSettings


class CrossModality(IntraModality):
    """Batches of 1a alternate with batches of the joint clusters, each with its own step.

    All clusters of the modality-invariant Jaccard distance have a row in the joint memory; those of
    one modality serve as negatives. Tracks are drawn from the others, P clusters of the visible and
    P of the infrared side, which need not be the same. Where no cluster holds both modalities, the
    epoch trains within the modalities only. Source: stage one of MMM.
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
        joint = joint_labels(
            features,
            self.session.modalities,
            self.settings,
            refinement=self.refinement,
            say=self.session.say,
        )
        self.evaluator.labels(joint, self.name, epoch + 1, step, None, features)
        self.take_joint(features, joint)
        if self.joint_memory is None:
            self.session.say("cross-modality: no cluster holds both modalities; epoch as in 1a")

    def take_joint(self, features: Tensor, joint: np.ndarray) -> None:
        """Goes on with joint clusters, and fills their memory if one holds both modalities.

        Args:
            features: [N, D] of the training tracks.
            joint: [N] int64 labels over both modalities, -1 = noise.
        """
        self.joint = joint
        self.joint_memory = None
        if joint.max(initial=-1) > 0 and in_both_modalities(joint, self.session.modalities).any():
            rows = joint_prototypes(features, joint, self.session.modalities)
            self.joint_memory = self._memory(rows)

    def _unified_labels(self) -> np.ndarray | None:
        return self.joint

    def track_batches(self, epoch: int) -> list[list[int]]:
        """Track numbers of the batches of 1a and of joint batches in turn, visible halves first."""
        intra = self._drawn(self.labels, epoch)
        if self.joint_memory is None:
            again = self._drawn(self.labels, epoch, kind=1)
        else:
            shared = in_both_modalities(self.joint, self.session.modalities)
            again = self._drawn(np.where(shared, self.joint, -1), epoch, kind=1)
        return [batch for pair in zip(intra, again) for batch in pair]

    def batches(self, epoch: int, first: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
        """Batches of 1a and joint batches in turn."""
        self._joint_next = first % 2 == 1
        return super().batches(epoch, first)

    def epoch_state(self) -> dict[str, Any]:
        """What 1a keeps, and the joint clusters with their memory."""
        joint: dict[str, Any] = {"joint": torch.from_numpy(self.joint)}
        if self.joint_memory is not None:
            joint["joint_memory"] = self.joint_memory.prototypes
        return super().epoch_state() | joint

    def continue_epoch(self, epoch: int, step: int, state: dict[str, Any]) -> None:
        """Takes them back."""
        super().continue_epoch(epoch, step, state)
        rows = state.get("joint_memory")
        # Without a cluster of both there may be no label at all.
        some = rows is not None
        self.joint = restored_labels(state, "joint", len(self.session.tracks), some=some)
        self.joint_memory = None if rows is None else self._memory(rows)

    def feature_losses(
        self, embeddings: Tensor, index: Tensor, modalities: Tensor
    ) -> dict[str, Tensor]:
        """Losses of 1a, or of the joint memory, in turn."""
        joint, self._joint_next = self._joint_next, not self._joint_next
        if not joint or self.joint_memory is None:
            return super().feature_losses(embeddings, index, modalities)
        weights = self.phase.losses
        labels = torch.from_numpy(self.joint)[index]
        memories = dict.fromkeys(Modality, self.joint_memory)
        losses = memory_losses(
            memories, embeddings, labels, modalities, weights, self.writes, "joint "
        )
        if "joint contrast" in weights:
            loss = self.contrast(embeddings, to_device(labels, embeddings.device))
            losses["joint contrast"] = weights["joint contrast"] * loss
        return losses
