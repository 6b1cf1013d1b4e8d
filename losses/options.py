"""Options of the losses that compare the clips of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class LossOptions(Options):
    """Terms beside those of the stage: they compare the clips of a batch."""

    heading: ClassVar[str] = "Losses"

    contrast_weight: float = option("weight of the in-batch contrast of (pseudo-)labels", 0.0)
    contrast_temperature: float = option("temperature of the in-batch contrast", 0.1, above=0)
    separation_weight: float = option("weight of M3-ReID's frame and mask separation", 0.0)


@dataclass(frozen=True, kw_only=True)
class ExtraLossOptions(Options):
    """Terms beside those of the stage: they compare the clips of a batch."""

    heading: ClassVar[str] = "Losses"

    extra_loss: str = option(
        "further in-batch losses with their weights, joined by commas: weighted-triplet=0.5, or a "
        "registered one; not with --variant released",
        "",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.extra_loss:
            from .registry import parse_losses  # slow to import, and seldom needed

            try:
                parse_losses(self.extra_loss)
            except ValueError as error:
                raise ValueError(f"--extra-loss {self.extra_loss}: {error}") from None
