"""Settings of stage two, with and without labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..engine.config import UnsupervisedConfig
from ..engine.settings import setting


@dataclass(frozen=True, kw_only=True)
class MMMConfig(UnsupervisedConfig):
    """Stage two: multi-memory matching; or training from the data set's labels."""

    baseline: Path | None = setting("run folder of stage one; needed without --supervised", None)
    supervised: bool = setting("train from the data set's labels instead", False)
    epochs: int = setting("epochs", 80)
    steps: int | None = setting(
        "batches in an epoch; unset: 100 without labels, one pass of the sampler with them", None
    )
    lr_steps: tuple[int, ...] = setting("epochs after which the step schedule decays", (40, 60))

    memories: int = setting("K, sub-centres of a cluster that the matching compares", 4)
    memory_prototypes: int = setting("prototypes of a cluster in the training memory", 1)
    cost: Literal["paper", "released", "symmetric"] = setting(
        "whose sub-centres the matching cost sums over", "paper"
    )
    matcher: Literal["nearest", "one-to-one", "abstaining"] = setting(
        "how visible clusters choose infrared ones", "one-to-one"
    )
    rematch_interval: int = setting("epochs between two clusterings and matchings", 1)
    within_weight: float = setting("weight of the memory of the sample's own modality", 0.0)
    cross_weight: float = setting("weight of the memory of the other modality", 0.5)
    intra_weight: float = setting("weight of the self-mimic loss (to confident class means)", 0.5)
    inter_weight: float = setting("weight of the soft cluster alignment (MMD)", 0.05)
    inter_from: int = setting("first epoch with the soft cluster alignment", 15)

    sampler: Literal[
        "identity", "modality-ratio", "half-random", "half-identity", "interleaved"
    ] = setting("batch sampler of --supervised; identity is the published one", "identity")
    alignment_weight: float = setting("weight of MMA, for clips and frames, with --supervised", 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.supervised and self.baseline is None:
            raise ValueError(
                "give --baseline RUN, the run folder of `vireid baseline`, or --supervised"
            )
        for name in ("epochs", "memories", "memory_prototypes", "rematch_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")
        if not self.supervised and self.k_num % 2:
            raise ValueError(
                f"--k-num is even, half of the clips for each modality; got {self.k_num}"
            )
