"""Several prototypes for each cluster, which keep what one mean washes out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..transfers import to_device
from .cluster import mean_cross_entropy
from .sequential import most_of_one, write_samples
from .validation import NOISE, check_batch, checked_prototypes, unit_features


class MultiMemory(nn.Module):
    """A memory of K prototypes a cluster (the centres of a K-means inside it).

    A cluster's score is the log-sum-exp of its K scaled cosines, a soft maximum: a sample need be
    near one of its cluster's prototypes, and is pushed from all prototypes of the others. With
    K = 1 this is ``ClusterMemory``. Source of the memories: multi-memory matching (MMM), section on
    multi-memory learning; training with them is our own step beyond it.

    Args:
        prototypes: ``[C, K, D]``, L2-normalised rows, taken as given. Copied.
        temperature: divisor of the cosines, > 0.
        momentum: share of the old row that an update keeps, 0 to 1.

    Attributes:
        prototypes: buffer ``[C, K, D]``.

    Raises:
        ValueError: prototypes of another shape, or a setting out of range.
    """

    prototypes: Tensor

    def __init__(
        self, prototypes: Tensor, temperature: float = 0.05, momentum: float = 0.1
    ) -> None:
        super().__init__()
        own = checked_prototypes(prototypes, "[C, K, D]", temperature, momentum)
        self.temperature = temperature
        self.momentum = momentum
        self.register_buffer("prototypes", own)

    def forward(self, features: Tensor, labels: Tensor, excluded: Tensor | None = None) -> Tensor:
        """Cross entropy over the clusters' scores; changes nothing.

        Args:
            features: ``[B, D]``, normalised here; computed in float32 at least.
            labels: cluster of each sample, ``[B]`` int64; −1 is noise and left out. On the CPU as
                for ``ClusterMemory``.
            excluded: ``[B, C]`` bool, clusters that are no negatives of a sample; never its own.

        Returns:
            Mean over the samples with a cluster, scalar, in nats; 0 with gradient 0 if none has.

        Raises:
            ValueError: shapes that do not fit; a label out of range (on the CPU).
        """
        clusters, _, width = self.prototypes.shape
        check_batch(features, labels, clusters, width)
        with torch.autocast(features.device.type, enabled=False):
            unit = unit_features(features, self.prototypes.dtype)
            cosines = unit @ self.prototypes.to(unit.dtype).flatten(0, 1).T
            scores = (cosines / self.temperature).unflatten(1, self.prototypes.shape[:2])
            there = to_device(labels, scores.device)
            return mean_cross_entropy(scores.logsumexp(2), there, excluded)

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Each sample moves the prototype of its cluster that was nearest before the call.

        Samples that meet on one prototype move it in batch order, renormalised after each.

        Args:
            features: ``[B, D]``, normalised here.
            labels: ``[B]`` as for the loss; −1 is ignored.

        Raises:
            ValueError: see the loss.
        """
        clusters, count, width = self.prototypes.shape
        check_batch(features, labels, clusters, width)
        with torch.autocast(features.device.type, enabled=False):
            unit = unit_features(features, self.prototypes.dtype)
            most, labels = most_of_one(labels), to_device(labels, unit.device)
            own = self.prototypes[labels.clamp_min(0)].to(unit.dtype)
            nearest = (own @ unit[..., None]).squeeze(2).argmax(1)
            target = torch.where(labels == NOISE, NOISE, labels * count + nearest)
            write_samples(self.prototypes.view(-1, width), unit, target, self.momentum, most)
