"""Options of stage two: how clusters are matched, and what teaches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from ..options import Options, option
from .given_labels import given_labels


@dataclass(frozen=True, kw_only=True)
class MatchingOptions(Options):
    """How visible clusters find infrared ones."""

    heading: ClassVar[str] = "Matching"

    memories: int = option("K, sub-centres of a cluster that are compared", 4, at_least=1)
    cost: Literal["paper", "released", "symmetric"] = option(
        "whose sub-centres the matching cost sums over", "paper"
    )
    matcher: str = option(
        "how visible clusters choose infrared ones: nearest, one-to-one, partial, adaptive, "
        "or a registered rule",
        "one-to-one",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.matcher not in ("nearest", "one-to-one", "partial", "adaptive"):
            from .matchers import MATCHERS  # slow to import, and seldom needed

            try:
                MATCHERS.named(self.matcher)
            except ValueError as error:
                raise ValueError(f"--matcher: {error}") from None


@dataclass(frozen=True, kw_only=True)
class StageTwoOptions(Options):
    """What stage two starts from, and what teaches in it."""

    heading: ClassVar[str] = "Stage two"

    baseline: Path | None = option("run folder of stage one; needed without --supervised", None)
    variant: Literal["vireid", "paper", "released"] = option(
        "what teaches: vireid (memories of the matched labels), paper (three memories, trained "
        "jointly) or released (a classifier on labels fixed once); the last two start from "
        "--weights and not from stage one's network; the configs hold the recipes",
        "vireid",
    )
    rematch_interval: int = option("epochs between two clusterings and matchings", 1, at_least=1)
    memory_prototypes: int = option("prototypes of a cluster in the training memory", 1, at_least=1)
    own_memory_weight: float = option("weight of the memory of the sample's own modality", 0.0)
    cross_memory_weight: float = option("weight of the memory of the other modality", 0.5)
    union_weight: float = option(
        "weight of what joint clusters of both modalities teach beside the matched ones, as in "
        "stage one's last stage: their memory and their contrast",
        0.0,
        at_least=0,
    )
    mimic_weight: float = option("weight of the self-mimic loss (to confident class means)", 0.5)
    alignment_weight: float = option("weight of the soft cluster alignment (MMD)", 0.05)
    alignment_from: int = option("first epoch with the soft cluster alignment", 15)
    spare_unmatched: bool = option(
        "unmatched clusters of different modalities may be one person: do not push them apart",
        True,
    )
    ce_epochs: int = option("released: first epochs, with cross entropy alone", 5, at_least=0)


@dataclass(frozen=True, kw_only=True)
class GivenLabelOptions(Options):
    """Which labels training may see."""

    heading: ClassVar[str] = "Labels"

    semi_supervised: str | None = option(
        "give part of the labels: `visible`, a share of the identities (0.2), a share of every "
        "identity's tracks (tracks:0.2), or pairs that a person judged in `vireid browse` "
        "(decisions:INDEX, an index or its judgements.jsonl); the rest is clustered and matched. "
        "`matches`: labels only say which clusters belong together, to measure what wrong matches "
        "cost",
        None,
    )
    labelled_tracks: Path | None = option(
        "file with the keys of the labelled tracks, one a line, instead of drawing them by --seed",
        None,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        given = given_labels(self.semi_supervised)
        drawn = given is not None and given.form in ("identities", "tracks")
        if self.labelled_tracks is not None and not drawn:
            raise ValueError("--labelled-tracks belongs to --semi-supervised 0.2 or tracks:0.2")
