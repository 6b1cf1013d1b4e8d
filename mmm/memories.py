"""The cluster memories that teach in stage two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import transfers
from ..clustering.dense_labels import dense_labels
from ..clustering.subclusters import subcluster_centres
from ..datasets.track import Modality
from ..memory import ClusterMemory, MultiMemory, cluster_means, joint_prototypes
from ..memory.cluster import cluster_memory
from ..memory.writes import PendingWrites
from ..transfers import places, to_device
from .settings import StageTwoSettings


class Memories(Protocol):
    """Memories of one epoch."""

    def prototypes(self) -> dict[str, Tensor]:
        """Rows of each memory by name, as they are now."""

    def losses(
        self,
        embeddings: Tensor,
        index: Tensor,
        modalities: Tensor,
        weights: Mapping[str, float],
        writes: PendingWrites,
    ) -> dict[str, Tensor]:
        """Weighted loss terms of embeddings [B, D] of the tracks [B]; notes what to write.

        Tracks and modalities are on the CPU.
        """


class UnionMemory:
    """The memory of the joint clusters of both modalities (CMC).

    Args:
        rows: prototypes [C, D]; None teaches nothing.
        labels: [N] int64 labels of the joint clustering, -1 = none.
        settings: of stage two.
        device: where the memory lives.
    """

    def __init__(
        self, rows: Tensor | None, labels: Tensor, settings: StageTwoSettings, device: torch.device
    ) -> None:
        self.labels = labels
        self.memory = None if rows is None else cluster_memory(rows.to(device), settings)

    def prototypes(self) -> dict[str, Tensor]:
        """``union`` [C, D] as it is now, if it teaches."""
        return {} if self.memory is None else {"union": self.memory.prototypes}

    def losses(
        self, embeddings: Tensor, index: Tensor, weights: Mapping[str, float], writes: PendingWrites
    ) -> dict[str, Tensor]:
        """Weighted ``union memory`` of embeddings [B, D] of the tracks [B]; these on the CPU."""
        if self.memory is None:
            return {}
        labels = self.labels[index]
        loss = weights["union memory"] * self.memory(embeddings, labels)
        writes.later(self.memory, embeddings, labels)
        return {"union memory": loss}


def _union_rows(
    features: Tensor, union: Tensor | np.ndarray, modalities: np.ndarray
) -> dict[str, Tensor]:
    """First rows of :class:`UnionMemory`, where there are two clusters or more."""
    if transfers.host_array(union).max(initial=-1) > 0:
        return {"union": joint_prototypes(features, union, modalities)}
    return {}


def unified_prototypes(
    features: Tensor,
    labels: Tensor | np.ndarray,
    union: Tensor | np.ndarray,
    modalities: np.ndarray,
    means: Tensor,
    settings: StageTwoSettings,
) -> dict[str, Tensor]:
    """First rows of :class:`UnifiedMemories`.

    Args:
        features: [N, D] unit features of all tracks, on any device.
        labels: [N] int64 unified labels, -1 = noise.
        union: [N] int64 labels of the joint clustering, -1 = none.
        modalities: [N].
        means: [C, D] unit means of the classes.
        settings: of stage two.

    Returns:
        ``unified`` [C, D] or [C, K, D], ``visible`` and ``infrared`` [C', D]; ``union`` where the
        joint clustering has two clusters or more.
    """
    found = {"unified": means, **_union_rows(features, union, modalities)}
    if settings.memory_prototypes > 1:
        centres = subcluster_centres(
            features, labels, settings.memory_prototypes, seed=settings.seed
        )[0]
        found["unified"] = F.normalize(centres, dim=2)
    for modality in Modality:
        chosen = modalities == modality
        own = transfers.host_array(labels)[chosen]
        rows = transfers.rows_at(features, chosen)
        found[modality.name.lower()] = cluster_means(rows, dense_labels(own))
    return found


def _dense(labels: Tensor, classes: int) -> Tensor:
    """[C + 1] place of each unified label among those that are there.

    Labels that a modality lacks, and noise (the last entry), get -1, which a memory leaves out.
    """
    present = torch.unique(labels[labels >= 0])
    dense = torch.full((classes + 1,), -1)
    dense[present] = torch.arange(len(present))
    return dense


class UnifiedMemories:
    """One memory of the unified labels, with one or K prototypes, and one for each modality.

    Every sample reads the unified memory; by their weights it also reads the memory of its own
    modality, that of the other one, and that of the joint clusters.

    Args:
        prototypes: of each memory; see :func:`unified_prototypes`.
        labels: [N] int64 unified labels, -1 = noise.
        union: [N] int64 labels of the joint clustering, -1 = none.
        modalities: [N].
        ambiguous: [C, C] bool, classes that are not each other's negatives.
        settings: of stage two.
        device: where the memories live.
    """

    def __init__(
        self,
        prototypes: dict[str, Tensor],
        labels: Tensor,
        union: Tensor,
        modalities: np.ndarray,
        ambiguous: Tensor | None,
        settings: StageTwoSettings,
        device: torch.device,
    ) -> None:
        self.union = UnionMemory(prototypes.get("union"), union, settings, device)
        self.labels = labels
        self.ambiguous = ambiguous
        self.unified: ClusterMemory | MultiMemory
        rows = prototypes["unified"].to(device)
        if rows.ndim == 2:
            self.unified = cluster_memory(rows, settings)
        else:
            self.unified = MultiMemory(
                rows,
                temperature=settings.memory_temperature,
                momentum=settings.memory_momentum,
            )
        self.own: dict[int, ClusterMemory] = {}
        self.own_label: dict[int, Tensor] = {}
        for modality in Modality:
            chosen = torch.from_numpy(modalities == modality)
            self.own_label[int(modality)] = _dense(labels[chosen], len(rows))
            self.own[int(modality)] = cluster_memory(
                prototypes[modality.name.lower()].to(device), settings
            )

    def prototypes(self) -> dict[str, Tensor]:
        """Rows of each memory as they are now."""
        own = {m.name.lower(): self.own[int(m)].prototypes for m in Modality}
        return {"unified": self.unified.prototypes, **own, **self.union.prototypes()}

    def losses(
        self,
        embeddings: Tensor,
        index: Tensor,
        modalities: Tensor,
        weights: Mapping[str, float],
        writes: PendingWrites,
    ) -> dict[str, Tensor]:
        """Weighted terms ``memory``, ``own memory``, ``cross memory`` and ``union memory``.

        Args:
            embeddings: [B, D].
            index: [B] track numbers, on the CPU.
            modalities: [B], on the CPU.
            weights: of the terms, by name; a term that is not in here is not computed.
            writes: takes note of what the memories are to take in after the step.
        """
        labels, device = self.labels[index], embeddings.device
        excluded = None if self.ambiguous is None else self.ambiguous[to_device(labels, device)]
        losses = {"memory": weights["memory"] * self.unified(embeddings, labels, excluded)}
        writes.later(self.unified, embeddings, labels)
        for modality in Modality:
            chosen = modalities == modality
            mine = embeddings.index_select(0, places(chosen, device))
            for name, source in (("own memory", modality), ("cross memory", modality.other)):
                if name in weights:
                    targets = self.own_label[int(source)][labels[chosen]]
                    loss = weights[name] * self.own[int(source)](mine, targets)
                    losses[name] = losses.get(name, 0) + loss / len(Modality)
            own = self.own_label[int(modality)][labels[chosen]]
            writes.later(self.own[int(modality)], mine, own)
        losses.update(self.union.losses(embeddings, index, weights, writes))
        return losses


def three_prototypes(
    features: Tensor,
    labels: Tensor | np.ndarray,
    union: Tensor | np.ndarray,
    modalities: np.ndarray,
) -> dict[str, Tensor]:
    """First rows of :class:`ThreeMemories`.

    Args:
        features: [N, D] unit features of all tracks, on any device.
        labels: [N] int64, counted within each modality, -1 = noise.
        union: [N] int64 labels of the joint clustering, -1 = none.
        modalities: [N].

    Returns:
        ``visible`` and ``infrared`` [C, D]; ``union`` where it has two clusters or more.
    """
    found = _union_rows(features, union, modalities)
    for modality in Modality:
        chosen = modalities == modality
        own = transfers.host_array(labels)[chosen]
        found[modality.name.lower()] = cluster_means(transfers.rows_at(features, chosen), own)
    return found


class ThreeMemories:
    """The three memories of the paper: visible clusters, infrared clusters, and their union.

    The union is the cross-modality clustering (CMC) of both modalities together. Matching moves
    labels from infrared to visible: a visible sample of a matched cluster also reads the infrared
    memory, at the cluster that it is matched with. Only infrared samples write that memory.

    Args:
        prototypes: of each memory; see :func:`three_prototypes`.
        labels: [N] int64, counted within each modality, -1 = noise.
        moved: [N] int64 infrared cluster of each track: its own, or the matched one; -1 = none.
        union: [N] int64 labels of the joint clustering, -1 = none.
        modalities: [N].
        settings: of stage two.
        device: where the memories live.
    """

    def __init__(
        self,
        prototypes: dict[str, Tensor],
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
        self.visible = cluster_memory(prototypes["visible"].to(device), settings)
        self.infrared = cluster_memory(prototypes["infrared"].to(device), settings)
        self.union = UnionMemory(prototypes.get("union"), union, settings, device)

    def prototypes(self) -> dict[str, Tensor]:
        """Rows of each memory as they are now."""
        found = {"visible": self.visible.prototypes, "infrared": self.infrared.prototypes}
        return {**found, **self.union.prototypes()}

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
            index: [B] track numbers, on the CPU.
            modalities: [B], on the CPU.
            weights: of the terms, by name; a term that is not in here is not computed.
            writes: takes note of what the memories are to take in after the step.
        """
        visible, infrared = self.visible_labels[index], self.infrared_labels[index]
        losses = {
            "visible memory": weights["visible memory"] * self.visible(embeddings, visible),
            "infrared memory": weights["infrared memory"] * self.infrared(embeddings, infrared),
        }
        writes.later(self.visible, embeddings, visible)
        own = infrared.where(modalities == Modality.INFRARED, -1)
        writes.later(self.infrared, embeddings, own)
        losses.update(self.union.losses(embeddings, index, weights, writes))
        return losses
