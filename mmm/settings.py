"""Settings of stage two."""

from __future__ import annotations

from dataclasses import dataclass

from ..clustering.options import ClusteringOptions
from ..engine.options import EpochOptions, TrainingOptions
from ..losses.options import ExtraLossOptions, LossOptions
from ..memory.options import MemoryOptions
from ..options import option
from ..pseudo_labels.options import StoppingOptions
from .options import GivenLabelOptions, MatchingOptions, StageTwoOptions


@dataclass(frozen=True, kw_only=True)
class StageTwoSettings(
    StageTwoOptions,
    MatchingOptions,
    GivenLabelOptions,
    EpochOptions,
    TrainingOptions,
    ClusteringOptions,
    StoppingOptions,
    MemoryOptions,
    LossOptions,
    ExtraLossOptions,
):
    """Stage two: multi-memory matching."""

    lr_steps: tuple[int, ...] = option("epochs after which the step schedule decays", (40, 60))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shorten_when_settled and self.variant == "released":
            raise ValueError(
                "--variant released keeps the clusters of stage one to its end, so "
                "--shorten-when-settled has nothing to wait for; use --variant vireid or paper, "
                "or fewer --epochs"
            )
