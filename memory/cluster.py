"""One prototype for each cluster, read by a loss and written after the backward pass."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..transfers import to_device
from .options import MemoryOptions
from .sequential import most_of_one, write_samples
from .validation import NOISE, check_batch, checked_prototypes, unit_features

Mode = Literal["all", "hard"]


class ClusterMemory(nn.Module):
    """Cluster contrast with a momentum memory (arXiv:2103.11568).

    Reading and writing are two calls: ``memory(features, labels)`` is the loss and changes nothing;
    ``memory.update(features, labels)`` comes once, after the backward pass of all losses that read.

    Args:
        prototypes: ``[C, D]``, one L2-normalised row for each cluster (taken as given; a row of
            zeros is a cluster without a prototype yet). Copied.
        temperature: divisor of the cosines, > 0.
        momentum: share of the old row that an update keeps, 0 to 1.
        mode: ``all`` writes every sample in batch order; ``hard`` writes for each cluster only
            the sample least similar to the old row (the first of equals).

    Attributes:
        prototypes: buffer ``[C, D]``.

    Raises:
        ValueError: prototypes that are no matrix, or a setting out of range.
    """

    prototypes: Tensor

    def __init__(
        self,
        prototypes: Tensor,
        temperature: float = 0.05,
        momentum: float = 0.1,
        mode: Mode = "all",
    ) -> None:
        super().__init__()
        own = checked_prototypes(prototypes, "[C, D]", temperature, momentum)
        if mode not in get_args(Mode):
            raise ValueError(f"mode: expected one of {get_args(Mode)}, found {mode!r}")
        self.temperature = temperature
        self.momentum = momentum
        self.mode = mode
        self.register_buffer("prototypes", own)

    def forward(self, features: Tensor, labels: Tensor, excluded: Tensor | None = None) -> Tensor:
        """Cross entropy of the cosines with all prototypes, divided by the temperature.

        Args:
            features: ``[B, D]``, normalised here; computed in float32 at least, also under
                autocast.
            labels: cluster of each sample, ``[B]`` int64 in 0 … C − 1; samples with −1 are noise
                and left out. On the CPU, whatever the device of the features: there they are
                checked, and the host waits for nothing.
            excluded: ``[B, C]`` bool, clusters that are no negatives of a sample; never its own.
                None excludes nothing.

        Returns:
            Mean over the samples with a cluster, scalar, in nats; 0 with gradient 0 if none has.

        Raises:
            ValueError: shapes that do not fit; a label beyond C − 1 (on the CPU).
        """
        check_batch(features, labels, len(self.prototypes), self.prototypes.shape[1])
        with torch.autocast(features.device.type, enabled=False):
            unit = unit_features(features, self.prototypes.dtype)
            scores = unit @ self.prototypes.to(unit.dtype).T / self.temperature
            return mean_cross_entropy(scores, to_device(labels, scores.device), excluded)

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Moves the prototypes: c ← momentum·c + (1 − momentum)·f, then normalised.

        Args:
            features: ``[B, D]``, normalised here.
            labels: ``[B]`` as for the loss; −1 is ignored.

        Raises:
            ValueError: see the loss.
        """
        check_batch(features, labels, len(self.prototypes), self.prototypes.shape[1])
        with torch.autocast(features.device.type, enabled=False):
            unit = unit_features(features, self.prototypes.dtype)
            most, labels = most_of_one(labels), to_device(labels, unit.device)
            if self.mode == "hard":
                most, labels = 1, hardest(unit, labels, self.prototypes)
            write_samples(self.prototypes, unit, labels, self.momentum, most)


def mean_cross_entropy(scores: Tensor, labels: Tensor, excluded: Tensor | None = None) -> Tensor:
    """Cross entropy over the samples that have a cluster.

    Args:
        scores: ``[B, C]`` logits.
        labels: ``[B]``, −1 is left out.
        excluded: ``[B, C]`` bool, clusters that are left out of a sample's denominator; None
            leaves out none.

    Returns:
        Scalar mean in nats; 0 with gradient 0 if no sample has a cluster.
    """
    if excluded is not None:
        scores = scores.masked_fill(excluded.to(scores.device), float("-inf"))
    total = functional.cross_entropy(scores, labels, ignore_index=NOISE, reduction="sum")
    return total / (labels != NOISE).sum().clamp_min(1)


def hardest(features: Tensor, labels: Tensor, prototypes: Tensor) -> Tensor:
    """Keeps, for each cluster, the label of the sample least similar to its prototype.

    Args:
        features: unit rows ``[B, D]``.
        labels: ``[B]``, −1 is noise.
        prototypes: ``[C, D]``.

    Returns:
        ``[B]`` labels, −1 for every other sample. The first of equally similar samples counts.
    """
    own = prototypes[labels.clamp_min(0)].to(features.dtype)
    similarity = (features * own).sum(1)
    same = labels[:, None] == labels
    order = torch.arange(len(labels), device=labels.device)
    earlier = order < order[:, None]
    beaten = (similarity < similarity[:, None]) | (earlier & (similarity == similarity[:, None]))
    return torch.where((same & beaten).any(1), NOISE, labels)


def cluster_memory(prototypes: Tensor, options: MemoryOptions) -> ClusterMemory:
    """A memory of unit rows [C, D], on their device, with the options' rule of writing."""
    return ClusterMemory(
        prototypes,
        temperature=options.memory_temperature,
        momentum=options.memory_momentum,
        mode=options.memory_mode,
    )
