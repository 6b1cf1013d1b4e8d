"""What stage one reads from its memories and writes into them, in one order for 1a and 1b."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..datasets.track import Modality
from ..memory import ClusterMemory
from ..memory.writes import PendingWrites
from ..transfers import places


def memory_losses(
    memories: Mapping[Modality, ClusterMemory],
    embeddings: Tensor,
    labels: Tensor,
    modalities: Tensor,
    weights: Mapping[str, float],
    writes: PendingWrites,
    joint: str = "",
) -> dict[str, Tensor]:
    """A mean over the visible clips and one over the infrared clips, each with its weight.

    The memories are written after the step: visible clips first, in the order of the batch (first
    views before second ones), then infrared ones. In 1b both sides share one memory, and infrared
    has the last word. Source: stage one of MMM, which differs in that its visible clips write the
    joint memory before the gradient of the infrared ones is taken.

    Args:
        memories: memory of each modality; may be one and the same.
        embeddings: [B, D], normalised by the memories.
        labels: [B] int64 cluster of each clip in the memory of its modality, on the CPU.
        modalities: [B] integers, on the CPU.
        weights: of the terms ``visible memory`` and ``infrared memory``, by these names.
        writes: takes note of what the memories are to take in.
        joint: stands before the names of the terms.

    Returns:
        The weighted terms by name.
    """
    losses = {}
    for modality in Modality:
        chosen = modalities == modality
        targets = labels[chosen]
        rows = embeddings.index_select(0, places(chosen, embeddings.device))
        name = f"{joint}{modality.name.lower()} memory"
        losses[name] = weights[name] * memories[modality](rows, targets)
        writes.later(memories[modality], rows, targets)
    return losses
