"""Settings of stage one."""

from __future__ import annotations

from dataclasses import dataclass

from ..commands.command_line import setting
from ..engine.config import UnsupervisedConfig


@dataclass(frozen=True, kw_only=True)
class BaselineConfig(UnsupervisedConfig):
    """Stage one: an encoder and pseudo-labels, without any label."""

    warmup_epochs: int | None = setting(
        "epochs of the warm-up that contrasts tracklets; unset: 20 from random weights, else 0",
        None,
    )
    warmup_steps: int = setting("batches in a warm-up epoch", 30)
    warmup_tracks: int = setting("tracks of each modality in a warm-up batch", 32)
    warmup_frames: int | None = setting("frames of a warm-up clip; unset: --num-frames", None)
    warmup_lr: float = setting("learning rate of the warm-up", 1e-3)
    within_epochs: int = setting("epochs of stage 1a, within the modalities", 50)
    across_epochs: int = setting("epochs of stage 1b, across the modalities", 50)
    steps: int = setting("iterations in an epoch of 1a and 1b", 200)
    lr_steps: tuple[int, ...] = setting("epochs after which the step schedule decays", (20, 40))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network == "agw" and self.warmup_frames not in (None, 1):
            raise ValueError(f"--warmup-frames is 1 with --network agw; got {self.warmup_frames}")
        for name in ("warmup_epochs", "within_epochs", "across_epochs"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"--{name.replace('_', '-')} is not negative")
        for name in ("steps", "warmup_steps", "warmup_tracks"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")

    @property
    def resolved_warmup_epochs(self) -> int:
        """Epochs of the warm-up after the rule for random weights."""
        if self.warmup_epochs is not None:
            return self.warmup_epochs
        return 20 if self.weights == "none" else 0
