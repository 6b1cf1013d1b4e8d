"""The cluster memories that teach in stage two."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..clustering.subclusters import subcluster_centres
from ..datasets.track import Modality
from ..memory import ClusterMemory, MultiMemory, cluster_means, joint_prototypes
from .config import MMMConfig


class Memories(Protocol):
    """Memories of one epoch."""

    def losses(self, rows: Tensor, index: Tensor, modalities: Tensor) -> dict[str, Tensor]:
        """Weighted loss terms of embeddings [B, D] of the tracks [B]; writes nothing."""

    def update(self) -> None:
        """Writes what the last losses read, after their backward pass."""


class _Pending:
    """Remembers what to write after the backward pass."""

    def __init__(self) -> None:
        self._pending: list[tuple[ClusterMemory | MultiMemory, Tensor, Tensor]] = []

    def _later(self, memory: ClusterMemory | MultiMemory, rows: Tensor, labels: Tensor) -> None:
        self._pending.append((memory, rows.detach(), labels))

    def update(self) -> None:
        """Writes the memories."""
        for memory, rows, labels in self._pending:
            memory.update(rows, labels)
        self._pending = []


def cluster_memory(prototypes: Tensor, config: MMMConfig) -> ClusterMemory:
    """A memory with the settings' temperature, momentum and mode.

    Args:
        prototypes: [C, D] unit rows, on the device.
        config: settings.
    """
    return ClusterMemory(
        prototypes,
        temperature=config.memory_temperature,
        momentum=config.memory_momentum,
        mode=config.memory_mode,
    )


class UnifiedMemories(_Pending):
    """One memory of the unified labels, with one or K prototypes, and one for each modality.

    Every sample reads the unified memory; by their weights it also reads the memory of its own
    modality and that of the other one.

    Args:
        features: [N, D] unit features of all tracks, on the CPU.
        labels: [N] int64 unified labels, -1 = noise.
        modalities: [N].
        means: [C, D] unit means of the classes.
        ambiguous: [C, C] bool, classes that are not each other's negatives.
        config: settings.
        device: where the memories live.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        modalities: np.ndarray,
        means: Tensor,
        ambiguous: Tensor | None,
        config: MMMConfig,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.config = config
        self.labels = labels
        self.ambiguous = ambiguous
        self.unified: ClusterMemory | MultiMemory
        if config.memory_prototypes == 1:
            self.unified = cluster_memory(means.to(device), config)
        else:
            centres = subcluster_centres(
                features, labels, config.memory_prototypes, seed=config.seed
            )[0]
            self.unified = MultiMemory(
                F.normalize(centres, dim=2).to(device),
                temperature=config.memory_temperature,
                momentum=config.memory_momentum,
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
                cluster_means(features[chosen], dense[labels[chosen]]).to(device), config
            )

    def losses(self, rows: Tensor, index: Tensor, modalities: Tensor) -> dict[str, Tensor]:
        """Weighted terms ``memory``, ``own memory`` and ``cross memory``.

        Args:
            rows: [B, D] embeddings.
            index: [B] track numbers.
            modalities: [B].
        """
        config = self.config
        labels = self.labels[index].to(rows.device)
        excluded = None if self.ambiguous is None else self.ambiguous[labels]
        self._pending = []
        losses = {"memory": config.memory_weight * self.unified(rows, labels, excluded)}
        self._later(self.unified, rows, labels)
        for modality in Modality:
            chosen = modalities == modality
            for weight, name, source in (
                (config.own_memory_weight, "own memory", modality),
                (config.cross_memory_weight, "cross memory", modality.other),
            ):
                if weight:
                    targets = self.own_label[int(source)][labels[chosen]]
                    term = weight * config.memory_weight
                    loss = term * self.own[int(source)](rows[chosen], targets)
                    losses[name] = losses.get(name, 0) + loss / len(Modality)
            own = self.own_label[int(modality)][labels[chosen]]
            self._later(self.own[int(modality)], rows[chosen], own)
        return losses


class ThreeMemories(_Pending):
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
        config: settings.
        device: where the memories live.
    """

    def __init__(
        self,
        features: Tensor,
        labels: Tensor,
        moved: Tensor,
        union: Tensor,
        modalities: np.ndarray,
        config: MMMConfig,
        device: torch.device,
    ) -> None:
        super().__init__()
        self.config = config
        visible = torch.from_numpy(modalities == Modality.VISIBLE)
        self.visible_labels = labels.where(visible, -1)
        self.infrared_labels = moved
        self.union_labels = union
        self.visible = cluster_memory(
            cluster_means(features[visible], labels[visible]).to(device), config
        )
        self.infrared = cluster_memory(
            cluster_means(features[~visible], labels[~visible]).to(device), config
        )
        self.union: ClusterMemory | None = None
        if int(union.max()) > 0:
            prototypes = joint_prototypes(features, union, torch.from_numpy(modalities))
            self.union = cluster_memory(prototypes.to(device), config)

    def losses(self, rows: Tensor, index: Tensor, modalities: Tensor) -> dict[str, Tensor]:
        """Weighted ClusterNCE of each memory.

        Args:
            rows: [B, D] embeddings.
            index: [B] track numbers.
            modalities: [B].
        """
        weight, device = self.config.memory_weight, rows.device
        self._pending = []
        visible = self.visible_labels[index].to(device)
        infrared = self.infrared_labels[index].to(device)
        losses = {
            "visible memory": weight * self.visible(rows, visible),
            "infrared memory": weight * self.infrared(rows, infrared),
        }
        self._later(self.visible, rows, visible)
        own = infrared.where(modalities == Modality.INFRARED, -1)
        self._later(self.infrared, rows, own)
        if self.union is not None:
            union = self.union_labels[index].to(device)
            losses["union memory"] = weight * self.union(rows, union)
            self._later(self.union, rows, union)
        return losses
