"""Settings of training from labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..engine.options import EpochOptions, TrainingOptions
from ..losses.options import ExtraLossOptions, LossOptions
from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class SupervisedOptions(Options):
    """Which labels training may see."""

    heading: ClassVar[str] = "Labels"

    sampler: Literal[
        "identity", "modality-ratio", "half-random", "half-identity", "interleaved"
    ] = option("batch sampler of --supervised; identity is the published one", "identity")
    mma_weight: float = option("weight of MMA, for clips and frames, with --supervised", 1.0)


@dataclass(frozen=True, kw_only=True)
class SupervisedSettings(
    SupervisedOptions, EpochOptions, TrainingOptions, LossOptions, ExtraLossOptions
):
    """Training from the data set's labels."""

    lr_steps: tuple[int, ...] = option("epochs after which the step schedule decays", (40, 60))
