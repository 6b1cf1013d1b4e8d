"""Settings of stage one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..clustering.options import ClusteringOptions
from ..engine.options import TrainingOptions
from ..losses.options import LossOptions
from ..memory.options import MemoryOptions
from ..options import MOST_EPOCHS, MOST_FRAMES, Options, option
from ..pseudo_labels.options import StoppingOptions


@dataclass(frozen=True, kw_only=True)
class StageOneOptions(Options):
    """Pre-training by tracklet contrast, then 1a (intra-modality), then 1b (cross-modality)."""

    heading: ClassVar[str] = "Stage one"

    pretrain_epochs: int | None = option(
        "epochs of pre-training by tracklet contrast; unset: 20 from random weights, else 0",
        None,
        at_least=0,
        at_most=MOST_EPOCHS,
    )
    intra_epochs: int = option(
        "epochs of stage 1a: clusters and memories of each modality",
        50,
        at_least=0,
        at_most=MOST_EPOCHS,
    )
    cross_epochs: int = option(
        "epochs of stage 1b: joint clusters of both modalities too",
        50,
        at_least=0,
        at_most=MOST_EPOCHS,
    )
    steps: int = option("iterations in an epoch of 1a and 1b", 200, at_least=1)
    pretrain_steps: int = option("batches in an epoch of pre-training", 30, at_least=1)
    pretrain_tracks: int = option(
        "tracks of each modality in a batch of pre-training", 32, at_least=1
    )
    pretrain_frames: int | None = option(
        "frames of a clip in pre-training; unset: --num-frames",
        None,
        at_least=1,
        at_most=MOST_FRAMES,
    )
    pretrain_lr: float = option("learning rate of the pre-training", 1e-3, at_least=0)


@dataclass(frozen=True, kw_only=True)
class BaselineSettings(
    StageOneOptions,
    TrainingOptions,
    ClusteringOptions,
    StoppingOptions,
    MemoryOptions,
    LossOptions,
):
    """Stage one: an encoder and pseudo-labels, without any label."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network == "agw" and self.pretrain_frames not in (None, 1):
            raise ValueError(
                f"--pretrain-frames is 1 with --network agw; got {self.pretrain_frames}"
            )

    @property
    def resolved_pretrain_epochs(self) -> int:
        """Epochs of the pre-training after the rule for random weights."""
        if self.pretrain_epochs is not None:
            return self.pretrain_epochs
        return 20 if self.weights == "none" else 0
