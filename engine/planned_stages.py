"""What the stages of a run will do, known before anything is clustered, and the largest step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.options import FrameOptions
from ..datasets.track import Modality
from ..memory import ClusterMemory
from ..models.network import BatchOutput, Network
from ..random_streams import Draw, numpy_generator
from .augment import Augmenter
from .session import Session

Losses = Callable[[Tensor, Tensor, int], dict[str, Tensor]]
TEMPERATURE = 0.05


@dataclass(frozen=True)
class PlannedStage:
    """What a stage will do, known before anything is clustered.

    Attributes:
        name: of the stage.
        epochs: its epochs; 0 leaves it out.
        steps: batches of an epoch.
        batch: track numbers of its largest batch.
        losses: clips, track numbers and step to the stage's own loss terms, where these need no
            clustering; see :func:`stand_in`.
        extractions: how often it computes the features of all training tracks.
        num_frames: frames of a clip; None = ``--num-frames``.
        prototypes: rows of its memories together, at most; 0 = none.
        seen_twice: whether the network gets two views of each visible clip.
    """

    name: str
    epochs: int
    steps: int
    batch: list[int]
    losses: Losses
    extractions: int = 0
    num_frames: int | None = None
    prototypes: int = 0
    seen_twice: bool = False

    def frames(self, options: FrameOptions) -> int:
        """Frames of a clip."""
        return self.num_frames or options.num_frames


def largest_stage(plan: Sequence[PlannedStage], options: FrameOptions) -> PlannedStage:
    """The stage whose step has most frames; the first of equals.

    Args:
        plan: stages with at least one epoch, one or more.
        options: frames of a clip.
    """
    return max(plan, key=lambda stage: len(stage.batch) * stage.frames(options))


def some_tracks(session: Session, visible: int, infrared: int) -> list[int]:
    """Track numbers of a batch of so many visible and so many infrared clips, drawn at random."""
    draw = numpy_generator(Draw.REHEARSAL, session.options.seed)
    chosen: list[int] = []
    for modality, count in ((Modality.VISIBLE, visible), (Modality.INFRARED, infrared)):
        rows = np.flatnonzero(session.modalities == modality)
        chosen += draw.choice(rows, count, replace=count > len(rows)).tolist()
    return chosen


def most_clusters(session: Session, min_samples: int) -> int:
    """More clusters than any clustering of the training tracks can have, in both modalities."""
    return max(2, len(session.tracks) // max(1, min_samples))


def stand_in(
    session: Session, model: Network, augment: Augmenter, *, prototypes: int = 0
) -> Losses:
    """Losses of a stage whose own need a clustering first; see :func:`stand_in_losses`.

    Args:
        session, model, augment: device, network, and augmentation of the stage.
        prototypes: rows of the memory; 0 = none.

    Returns:
        A function like ``Stage.losses``.
    """
    memory: ClusterMemory | None = None

    def losses(clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        nonlocal memory
        batch = augment(clips, index, step)
        with session.runtime.autocast():
            output = model.forward_features(batch.images, batch.modalities)
        if prototypes and memory is None:
            rows = output.embeddings
            memory = stand_in_memory(torch.randn(prototypes, rows.shape[1], device=rows.device))
        return stand_in_losses(output, memory)

    return losses


def stand_in_memory(prototypes: Tensor) -> ClusterMemory:
    """A memory of such rows [C, D], made unit ones."""
    unit = F.normalize(prototypes, dim=1)
    return ClusterMemory(unit, temperature=TEMPERATURE, momentum=0.1, mode="all")


def stand_in_losses(output: BatchOutput, memory: ClusterMemory | None) -> dict[str, Tensor]:
    """Losses that need no labels and keep for the backward pass what those of a stage keep.

    Every output of the network takes part in a mean of squares, and the embeddings are compared
    with a cluster memory, so that what autograd keeps is what it keeps in the stage, up to the
    small matrices between the clips of a batch.

    Args:
        output: of the network.
        memory: of the stage; None = none.
    """
    values = [value for value in output if isinstance(value, Tensor)] + list(output.masks)
    found = {"outputs": torch.stack([v.float().square().mean() for v in values]).sum()}
    if memory is not None:
        rows = output.embeddings
        labels = torch.arange(len(rows), device=rows.device) % len(memory.prototypes)
        found["memory"] = memory(rows, labels)
    return found
