"""``vireid mmm``: stage two, by multi-memory matching or from labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..mmm.settings import StageTwoSettings
from ..options import Options, option
from ..supervised.settings import SupervisedSettings


@dataclass(frozen=True, kw_only=True)
class SupervisionOptions(Options):
    """Which labels training may see."""

    heading: ClassVar[str] = "Labels"

    supervised: bool = option("train from the data set's labels instead", False)


@dataclass(frozen=True, kw_only=True)
class MMMSettings(SupervisionOptions, StageTwoSettings, SupervisedSettings):
    """Stage two: multi-memory matching; or training from the data set's labels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.supervised or self.baseline or self.print_schedule):
            raise ValueError(
                "give --baseline RUN, the run folder of `vireid baseline`, or --supervised"
            )
        if self.supervised and self.semi_supervised is not None:
            raise ValueError("--supervised gives all labels; leave out --semi-supervised")
        if self.extra_loss and self.variant == "released" and not self.supervised:
            raise ValueError("--extra-loss does not go with --variant released")
        if not self.supervised and self.k_num % 2:
            raise ValueError(
                f"--k-num is even, half of the clips for each modality; got {self.k_num}"
            )


def run_mmm(settings: MMMSettings) -> None:
    """Trains stage two, or from labels, and writes the network into ``settings.output``."""
    if settings.supervised:
        from ..supervised.train import train_supervised

        train_supervised(settings)
    else:
        from ..mmm.train import train_stage_two

        train_stage_two(settings)
