"""Settings of stage one."""

from __future__ import annotations

from dataclasses import dataclass

from ..engine.config import UnsupervisedConfig
from ..options import option


@dataclass(frozen=True, kw_only=True)
class BaselineConfig(UnsupervisedConfig):
    """Stage one: an encoder and pseudo-labels, without any label."""

    pretrain_epochs: int | None = option(
        "epochs of pre-training by tracklet contrast; unset: 20 from random weights, else 0",
        None,
    )
    pretrain_steps: int = option("batches in a pre-training epoch", 30)
    pretrain_tracks: int = option("tracks of each modality in a pre-training batch", 32)
    pretrain_frames: int | None = option("frames of a pre-training clip; unset: --num-frames", None)
    pretrain_lr: float = option("learning rate of the pre-training", 1e-3)
    intra_epochs: int = option("epochs of stage 1a, intra-modality clusters and memories", 50)
    cross_epochs: int = option("epochs of stage 1b, cross-modality: joint clusters too", 50)
    steps: int = option("iterations in an epoch of 1a and 1b", 200)
    lr_steps: tuple[int, ...] = option("epochs after which the step schedule decays", (20, 40))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network == "agw" and self.pretrain_frames not in (None, 1):
            raise ValueError(
                f"--pretrain-frames is 1 with --network agw; got {self.pretrain_frames}"
            )
        for name in ("pretrain_epochs", "intra_epochs", "cross_epochs"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"--{name.replace('_', '-')} is not negative")
        for name in ("steps", "pretrain_steps", "pretrain_tracks"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")

    @property
    def resolved_pretrain_epochs(self) -> int:
        """Epochs of the pre-training after the rule for random weights."""
        if self.pretrain_epochs is not None:
            return self.pretrain_epochs
        return 20 if self.weights == "none" else 0
