"""Options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions(Options):
    """How features of the test split are made and ranked."""

    heading: ClassVar[str] = "Evaluation"

    protocol: str = option(
        "evaluation protocols by name, joined by commas; unset: the usual ones of the data set", ""
    )
    gallery: Literal["seeded", "official"] = option(
        "SYSU-MM01: galleries as released code draws them, or the data set's own permutations",
        "seeded",
    )
    flip: bool = option("average a clip and its mirror, for clustering and testing", False)
    cluster_flip: bool = option("with --flip: for clustering, too, not for testing alone", True)
    rerank: bool = option("evaluate with k-reciprocal re-ranking over the test split", False)
