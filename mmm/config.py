"""Settings of stage two, with and without labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..engine.config import UnsupervisedConfig
from ..options import option
from .given_labels import parse_given


@dataclass(frozen=True, kw_only=True)
class MMMConfig(UnsupervisedConfig):
    """Stage two: multi-memory matching; or training from the data set's labels."""

    baseline: Path | None = option("run folder of stage one; needed without --supervised", None)
    supervised: bool = option("train from the data set's labels instead", False)
    semi_supervised: str | None = option(
        "give part of the labels: `visible`, a share of the identities (0.2), or a share of every "
        "identity's tracks (tracks:0.2); the rest is clustered and matched",
        None,
    )
    labelled_tracks: Path | None = option(
        "file with the keys of the labelled tracks, one a line, instead of drawing them by --seed",
        None,
    )
    epochs: int = option("epochs", 80)
    steps: int | None = option(
        "batches in an epoch; unset: 100 for vireid, one pass over the larger modality for paper "
        "and released, one pass of the sampler with labels",
        None,
    )
    lr_steps: tuple[int, ...] = option("epochs after which the step schedule decays", (40, 60))

    variant: Literal["vireid", "paper", "released"] = option(
        "what teaches: vireid (memories of the matched labels), paper (three memories, trained "
        "jointly) or released (a classifier on labels fixed once); the configs hold the recipes",
        "vireid",
    )
    ce_epochs: int = option("released: first epochs, with cross entropy alone", 5)
    spare_unmatched: bool = option(
        "unmatched clusters of different modalities may be one person: do not push them apart",
        True,
    )
    memories: int = option("K, sub-centres of a cluster that the matching compares", 4)
    memory_prototypes: int = option("prototypes of a cluster in the training memory", 1)
    cost: Literal["paper", "released", "symmetric"] = option(
        "whose sub-centres the matching cost sums over", "paper"
    )
    matcher: str = option(
        "how visible clusters choose infrared ones: nearest, one-to-one, partial, or a "
        "registered rule",
        "one-to-one",
    )
    rematch_interval: int = option("epochs between two clusterings and matchings", 1)
    own_memory_weight: float = option("weight of the memory of the sample's own modality", 0.0)
    cross_memory_weight: float = option("weight of the memory of the other modality", 0.5)
    mimic_weight: float = option("weight of the self-mimic loss (to confident class means)", 0.5)
    alignment_weight: float = option("weight of the soft cluster alignment (MMD)", 0.05)
    alignment_from: int = option("first epoch with the soft cluster alignment", 15)

    sampler: Literal[
        "identity", "modality-ratio", "half-random", "half-identity", "interleaved"
    ] = option("batch sampler of --supervised; identity is the published one", "identity")
    mma_weight: float = option("weight of MMA, for clips and frames, with --supervised", 1.0)
    extra_loss: str = option(
        "further in-batch losses with their weights, joined by commas: weighted-triplet=0.5, or a "
        "registered one; not with --variant released",
        "",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.supervised and self.baseline is None:
            raise ValueError(
                "give --baseline RUN, the run folder of `vireid baseline`, or --supervised"
            )
        for name in ("epochs", "memories", "memory_prototypes", "rematch_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} is at least 1")
        if self.semi_supervised is not None:
            parse_given(self.semi_supervised)
            if self.supervised:
                raise ValueError("--supervised gives all labels; leave out --semi-supervised")
        if self.labelled_tracks is not None and self.semi_supervised in (None, "visible"):
            raise ValueError("--labelled-tracks belongs to --semi-supervised 0.2 or tracks:0.2")
        self._check_names()
        if self.ce_epochs < 0:
            raise ValueError("--ce-epochs is at least 0")
        if not self.supervised and self.k_num % 2:
            raise ValueError(
                f"--k-num is even, half of the clips for each modality; got {self.k_num}"
            )

    def _check_names(self) -> None:
        """Looks up what may be registered from outside; the imports are slow and seldom needed."""
        if self.matcher not in ("nearest", "one-to-one", "partial"):
            from .matching import check_method

            try:
                check_method(self.matcher)
            except ValueError as error:
                raise ValueError(f"--matcher, {error}") from None
        if self.extra_loss:
            from ..losses.registry import parse_losses

            if self.variant == "released" and not self.supervised:
                raise ValueError("--extra-loss does not go with --variant released")
            try:
                parse_losses(self.extra_loss)
            except ValueError as error:
                raise ValueError(f"--extra-loss {self.extra_loss}: {error}") from None
