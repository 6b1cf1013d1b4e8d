"""Clusters of the two modalities, matched by their sub-centres and given one label each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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
        cost: [V, I] float64.
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
) -> ClusterMatching:
    """Learns K centres in every cluster and matches visible to infrared clusters (MMM, 3.2).

    Args:
        features: [N, D] unit features.
        labels: [N] int64, counted from 0 within each modality, -1 = noise.
        modalities: [N].
        options: number of centres, cost and matcher.
        seed: of the K-means.
    """
    sides = [torch.from_numpy(modalities == modality) for modality in Modality]
    own = [torch.from_numpy(labels)[side] for side in sides]
    centres = [
        subcluster_centres(features[side], mine, options.memories, seed=seed)[0]
        for side, mine in zip(sides, own)
    ]
    cost = matching_cost(*centres, variant=options.cost)
    assignment = match(cost, options.matcher)
    unified = np.full(len(labels), -1, np.int64)
    for side, values in zip(sides, unify_labels(own[0], own[1], assignment)):
        unified[side.numpy()] = np.asarray(values)
    return ClusterMatching(labels, unified, np.asarray(assignment), cost)


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
