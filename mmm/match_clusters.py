"""Clusters of the two modalities, matched by their sub-centres and given one label each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .. import transfers
from ..clustering.subclusters import subcluster_centres
from ..datasets.track import Modality
from ..pseudo_labels.evaluator import PseudoLabelEvaluator
from .matching import match, matching_cost, unify_labels
from .options import MatchingOptions


@dataclass(frozen=True)
class ClusterMatching:
    """What a matching decided.

    Attributes:
        labels: [N] int64, counted within each modality, -1 = noise.
        unified: [N] int64 labels over both modalities without gaps, -1 = noise.
        assignment: [V] int64 infrared cluster of each visible one, -1 = none.
        cost: [V, I] float64 on the CPU.
    """

    labels: np.ndarray
    unified: np.ndarray
    assignment: np.ndarray
    cost: Tensor

    def record(
        self, evaluator: PseudoLabelEvaluator, features: Tensor, stage: str, epoch: int, step: int
    ) -> None:
        """Has the clusters and the matching measured and kept for the report.

        Args:
            evaluator: measures.
            features: [N, D] that were clustered.
            stage: name of the stage.
            epoch: epoch, from 1.
            step: steps of the run so far.
        """
        for modality in Modality:
            evaluator.labels(self.labels, stage, epoch, step, modality, features)
        evaluator.labels(self.unified, stage, epoch, step, None, features)
        evaluator.matching(self.labels, self.assignment, stage, epoch, step, self.cost)
        evaluator.keep(
            features,
            self.labels,
            stage,
            epoch,
            unified=self.unified,
            assignment=self.assignment,
            cost=self.cost,
        )


def match_clusters(
    features: Tensor,
    labels: np.ndarray,
    modalities: np.ndarray,
    options: MatchingOptions,
    *,
    seed: int = 0,
    assignment: Tensor | None = None,
) -> ClusterMatching:
    """Learns K centres in every cluster and matches visible to infrared clusters (MMM, 3.2).

    Args:
        features: [N, D] unit features.
        labels: [N] int64, counted from 0 within each modality, -1 = noise.
        modalities: [N].
        options: number of centres, cost and matcher.
        seed: of the K-means.
        assignment: [V] int64, -1 = none, where the match is known; None: by the options' matcher.
    """
    sides = [modalities == modality for modality in Modality]
    own = [labels[side] for side in sides]
    cost = cost_of_clusters(
        [transfers.rows_at(features, side) for side in sides], own, options, seed
    )
    if assignment is None:
        assignment = match(cost, options.matcher)
    unified = np.full(len(labels), -1, np.int64)
    for side, values in zip(sides, unify_labels(own[0], own[1], assignment)):
        unified[side] = np.asarray(values)
    return ClusterMatching(labels, unified, np.asarray(assignment), cost)


def cost_of_clusters(
    rows: Sequence[Tensor], clusters: Sequence[np.ndarray], options: MatchingOptions, seed: int
) -> Tensor:
    """What each match costs: K centres in every cluster, and the distances between them.

    Args:
        rows: visible and infrared unit features, [Nv, D] and [Ni, D].
        clusters: clusters of either side, [Nv] and [Ni], -1 = noise.
        options: number of centres and cost.
        seed: of the K-means.

    Returns:
        [V, I] float64 on the CPU, where the assignment is solved.
    """
    centres = [
        subcluster_centres(own, labels, options.memories, seed=seed)[0]
        for own, labels in zip(rows, clusters)
    ]
    return torch.from_numpy(transfers.to_host(matching_cost(*centres, variant=options.cost)))


def ambiguous_pairs(labels: Tensor, modalities: Tensor, count: int) -> Tensor:
    """Pairs of classes that may be one person although their labels differ.

    A class without a partner may belong to any class without a partner in the other modality:
    neither should be pushed from the other.

    Args:
        labels: [N] int64 unified labels, -1 = noise.
        modalities: [N] int64.
        count: number of classes C.

    Returns:
        [C, C] bool, symmetric.
    """
    alone = []
    for modality in Modality:
        present = torch.zeros(count, dtype=torch.bool)
        chosen = labels[(modalities == modality) & (labels >= 0)]
        present[chosen] = True
        alone.append(present)
    visible, infrared = alone[0] & ~alone[1], alone[1] & ~alone[0]
    pairs = visible[:, None] & infrared[None, :]
    return pairs | pairs.t()
