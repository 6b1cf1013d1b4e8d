"""The cluster memories that teach in stage two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..clustering.subclusters import subcluster_centres
from ..datasets.track import Modality
from ..memory import ClusterMemory, MultiMemory, cluster_means, joint_prototypes
from ..memory.cluster import cluster_memory
from ..memory.writes import PendingWrites
from .settings import StageTwoSettings


class Memories(Protocol):
    """Memories of one epoch."""

    def losses(
        self,
        embeddings: Tensor,
        index: Tensor,
        modalities: Tensor,
        weights: Mapping[str, float],
        writes: PendingWrites,
    ) -> dict[str, Tensor]:
        """Weighted loss terms of embeddings [B, D] of the tracks [B]; notes what to write."""


class UnifiedMemories:
    """One memory of the unified labels, with one or K prototypes, and one for each modality.

    Every sample reads the unified memory; by their weights it also reads the memory of its own
    modality and that of the other one.

    Args:
        features: [N, D] unit features of all tracks, on the CPU.
        labels: [N] int64 unified labels, -1 = noise.
        modalities: [N].
        means: [C, D] unit means of the classes.
        ambiguous: [C, C] bool, classes that are not each other's negatives.
        settings: of stage two.
        device: where the memories live.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        modalities: np.ndarray,
        means: Tensor,
        ambiguous: Tensor | None,
        settings: StageTwoSettings,
        device: torch.device,
    ) -> None:
        self.labels = labels
        self.ambiguous = ambiguous
        self.unified: ClusterMemory | MultiMemory
        if settings.memory_prototypes == 1:
            self.unified = cluster_memory(means.to(device), settings)
        else:
            centres = subcluster_centres(
                features, labels, settings.memory_prototypes, seed=settings.seed
            )[0]
            self.unified = MultiMemory(
                F.normalize(centres, dim=2).to(device),
                temperature=settings.memory_temperature,
                momentum=settings.memory_momentum,
            )
        self.own: dict[int, ClusterMemory] = {}
        self.own_label: dict[int, Tensor] = {}
        for modality in Modality:
            chosen = torch.from_numpy(modalities == modality)
            present = torch.unique(labels[chosen & (labels >= 0)])
            # Unified labels that this modality lacks stay -1, which a memory leaves out.
            dense = torch.full((len(means) + 1,), -1)
            dense[present] = torch.arange(len(present))
            self.own_label[int(modality)] = dense.to(device)
            self.own[int(modality)] = cluster_memory(
                cluster_means(features[chosen], dense[labels[chosen]]).to(device), settings
            )

    def losses(
        self,
        embeddings: Tensor,
        index: Tensor,
        modalities: Tensor,
        weights: Mapping[str, float],
        writes: PendingWrites,
    ) -> dict[str, Tensor]:
        """Weighted terms ``memory``, ``own memory`` and ``cross memory``.

        Args:
            embeddings: [B, D].
            index: [B] track numbers.
            modalities: [B].
            weights: of the terms, by name; a term that is not in here is not computed.
            writes: takes note of what the memories are to take in after the step.
        """
        labels = self.labels[index].to(embeddings.device)
        excluded = None if self.ambiguous is None else self.ambiguous[labels]
        losses = {"memory": weights["memory"] * self.unified(embeddings, labels, excluded)}
        writes.later(self.unified, embeddings, labels)
        for modality in Modality:
            chosen = modalities == modality
            for name, source in (("own memory", modality), ("cross memory", modality.other)):
                if name in weights:
                    targets = self.own_label[int(source)][labels[chosen]]
                    loss = weights[name] * self.own[int(source)](embeddings[chosen], targets)
                    losses[name] = losses.get(name, 0) + loss / len(Modality)
            own = self.own_label[int(modality)][labels[chosen]]
            writes.later(self.own[int(modality)], embeddings[chosen], own)
        return losses


class ThreeMemories:
    """The three memories of the paper: visible clusters, infrared clusters, and their union.

    The union is the cross-modality clustering (CMC) of both modalities together. Matching moves
    labels from infrared to visible: a visible sample of a matched cluster also reads the infrared
    memory, at the cluster that it is matched with. Only infrared samples write that memory.

    Args:
        features: [N, D] unit features of all tracks, on the CPU.
        labels: [N] int64, counted within each modality, -1 = noise.
        moved: [N] int64 infrared cluster of each track: its own, or the matched one; -1 = none.
        union: [N] int64 labels of the joint clustering, -1 = none.
        modalities: [N].
        settings: of stage two.
        device: where the memories live.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        moved: Tensor,
        union: Tensor,
        modalities: np.ndarray,
        settings: StageTwoSettings,
        device: torch.device,
    ) -> None:
        visible = torch.from_numpy(modalities == Modality.VISIBLE)
        self.visible_labels = labels.where(visible, -1)
        self.infrared_labels = moved
        self.union_labels = union
        self.visible = cluster_memory(
            cluster_means(features[visible], labels[visible]).to(device), settings
        )
        self.infrared = cluster_memory(
            cluster_means(features[~visible], labels[~visible]).to(device), settings
        )
        self.union: ClusterMemory | None = None
        if int(union.max()) > 0:
            prototypes = joint_prototypes(features, union, torch.from_numpy(modalities))
            self.union = cluster_memory(prototypes.to(device), settings)

    def losses(
        self,
        embeddings: Tensor,
        index: Tensor,
        modalities: Tensor,
        weights: Mapping[str, float],
        writes: PendingWrites,
    ) -> dict[str, Tensor]:
        """Weighted ClusterNCE of each memory.

        Args:
            embeddings: [B, D].
            index: [B] track numbers.
            modalities: [B].
            weights: of the terms, by name; a term that is not in here is not computed.
            writes: takes note of what the memories are to take in after the step.
        """
        device = embeddings.device
        visible = self.visible_labels[index].to(device)
        infrared = self.infrared_labels[index].to(device)
        losses = {
            "visible memory": weights["visible memory"] * self.visible(embeddings, visible),
            "infrared memory": weights["infrared memory"] * self.infrared(embeddings, infrared),
        }
        writes.later(self.visible, embeddings, visible)
        own = infrared.where(modalities == Modality.INFRARED, -1)
        writes.later(self.infrared, embeddings, own)
        if self.union is not None:
            union = self.union_labels[index].to(device)
            losses["union memory"] = weights["union memory"] * self.union(embeddings, union)
            writes.later(self.union, embeddings, union)
        return losses
