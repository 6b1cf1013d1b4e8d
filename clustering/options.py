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
    camera_neighbours: bool = option(
        "within a modality: neighbours of the own camera and of other cameras from lists of their "
        "own (CA-Jaccard), by the four numbers below in place of --k1 and --k2",
        False,
    )
    own_camera_k1: int = option("k-reciprocal neighbours of the own camera", 6, at_least=1)
    other_cameras_k1: int = option("k-reciprocal neighbours of other cameras", 21, at_least=0)
    own_camera_k2: int = option("query expansion: neighbours of the own camera", 2, at_least=1)
    other_cameras_k2: int = option("query expansion: neighbours of other cameras", 4, at_least=0)
    modality_neighbours: bool = option(
        "over both modalities: half of all neighbours from each (BMIL)", False
    )
    eps_gap: float = option(
        "keep only clusters, and members, that hold at eps plus and minus this (SpCL: 0.02); 0: "
        "keep all",
        0.0,
        at_least=0,
        below=1,
    )
    independent_share: float = option(
        "with --eps-gap: share of the first epoch's clusters that set how independent one has to "
        "be",
        0.9,
        at_least=0,
        at_most=1,
    )
    label_propagation: float = option(
        "weight of the clusterings before in the labels of an epoch (RLCC); 0: none",
        0.0,
        at_least=0,
        below=1,
    )
    on_collapse: Literal["stop", "relax"] = option(
        "when a clustering degenerates: stop with a suggestion, or go on with a relaxed eps", "stop"
    )
