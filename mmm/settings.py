"""Settings of stage two."""

from __future__ import annotations

from dataclasses import dataclass

from ..clustering.options import ClusteringOptions
from ..engine.options import EpochOptions, TrainingOptions
from ..losses.options import ExtraLossOptions, LossOptions
from ..memory.options import MemoryOptions
from ..options import option
from .options import GivenLabelOptions, MatchingOptions, StageTwoOptions


@dataclass(frozen=True, kw_only=True)
class StageTwoSettings(
    StageTwoOptions,
    MatchingOptions,
    GivenLabelOptions,
    EpochOptions,
    TrainingOptions,
    ClusteringOptions,
    MemoryOptions,
    LossOptions,
    ExtraLossOptions,
):
    """Stage two: multi-memory matching."""

    lr_steps: tuple[int, ...] = option("epochs after which the step schedule decays", (40, 60))
