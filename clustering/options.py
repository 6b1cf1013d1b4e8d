"""How features become pseudo-labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class ClusteringOptions(Options):
    """DBSCAN over the Jaccard distance of k-reciprocal neighbours."""

    heading: ClassVar[str] = "Clustering"

    k1: int = option("k-reciprocal neighbours, within a modality", 30, at_least=1)
    k2: int = option("neighbours of the query expansion, within a modality", 6, at_least=1)
    eps: float = option("DBSCAN radius in Jaccard distance", 0.6, above=0, below=1)
    joint_k1: int = option("k-reciprocal neighbours over both modalities", 40, at_least=1)
    joint_k2: int = option("neighbours of the query expansion over both modalities", 32, at_least=1)
    joint_eps: float | None = option(
        "DBSCAN radius over both modalities; unset: --eps", None, above=0, below=1
    )
    min_samples: int = option("DBSCAN: tracks in a core track's neighbourhood", 4, at_least=1)
    camera_mean: bool = option("remove each camera's mean feature before clustering", False)
    on_collapse: Literal["stop", "relax"] = option(
        "when a clustering degenerates: stop with a suggestion, or go on with a relaxed eps", "stop"
    )
