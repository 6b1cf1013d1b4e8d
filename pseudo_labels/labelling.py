"""Pseudo-labels of tracks: clusters within each modality, or over both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from scipy import sparse
from torch import Tensor

from .. import transfers
from ..clustering.camera_mean import centre_by_camera
from ..clustering.dbscan import dbscan
from ..clustering.grouped_jaccard import camera_aware_jaccard, modality_balanced_jaccard
from ..clustering.options import ClusteringOptions
from ..clustering.pseudo_labels import (
    ClusterResult,
    DegenerateClustering,
    check_clustering,
    cluster_graph,
    distance_graph,
)
from ..datasets.track import Modality
from ..distributed import ranks
from .refinement import Clustering, LabelRefinement

Say = Callable[[str], None]


def clustering_features(
    features: Tensor, cameras: np.ndarray, options: ClusteringOptions
) -> Tensor:
    """The features as they are clustered: with or without each camera's mean.

    The Jaccard distance takes means of unit rows as they are, shorter than 1, as published;
    without each camera's mean all rows are unit rows again.

    Args:
        features: [N, D] unit rows, or means of the unit rows of a clip and its mirror image.
        cameras: [N] integers.
        options: ``camera_mean``.
    """
    if not options.camera_mean:
        return features
    return centre_by_camera(features, cameras)


def _own_graph(
    features: Tensor, cameras: np.ndarray | None, options: ClusteringOptions
) -> sparse.csr_array:
    """Distances within a modality."""
    if not options.camera_neighbours or len(features) == 0:
        return distance_graph(features, k1=options.k1, k2=options.k2)
    if cameras is None:
        raise ValueError("camera_neighbours: wanted is the camera of each track")
    return camera_aware_jaccard(
        features,
        cameras,
        k1=(options.own_camera_k1, options.other_cameras_k1),
        k2=(options.own_camera_k2, options.other_cameras_k2),
    )


def _joint_graph(
    features: Tensor, modalities: np.ndarray, options: ClusteringOptions
) -> sparse.csr_array:
    """Distances over both modalities."""
    k1, k2 = options.joint_k1, options.joint_k2
    if options.modality_neighbours and len(features):
        return modality_balanced_jaccard(features, modalities, k1, k2)
    return distance_graph(features, k1=k1, k2=k2, modality=modalities)


def _at_three_radii(
    graph: sparse.csr_array, result: ClusterResult, options: ClusteringOptions
) -> Clustering:
    """The clustering, and those at the two radii that it has to hold at, if it has to."""
    if not options.eps_gap or graph.shape[0] == 0:
        return Clustering(result.labels)
    radii = max(0.0, result.eps - options.eps_gap), min(0.999, result.eps + options.eps_gap)
    tight, loose = (dbscan(graph, eps, options.min_samples) for eps in radii)
    return Clustering(result.labels, tight, loose)


def _cluster(
    features: Tensor, cameras: np.ndarray | None, options: ClusteringOptions, what: str, say: Say
) -> Clustering:
    graph = _own_graph(features, cameras, options)
    result = cluster_graph(graph, options.eps, options.min_samples)
    try:
        check_clustering(result, what)
    except DegenerateClustering as degenerate:
        if result.suggested_eps is None:
            own = options.camera_neighbours
            lists = "--own-camera-k1, --other-cameras-k1" if own else "--k1"
            raise DegenerateClustering(
                f"{degenerate} The settings are {lists}, --min-samples and the epochs before."
            ) from None
        if options.on_collapse == "stop":
            raise DegenerateClustering(
                f"{degenerate} Start again with another --eps, or go on with this run, letting "
                "degenerate clusterings take the suggested value: --resume --on-collapse relax."
            ) from None
        say(f"{degenerate} Going on with eps {result.suggested_eps:.3f}.")
        result = cluster_graph(graph, result.suggested_eps, options.min_samples)
    return _at_three_radii(graph, result, options)


def intra_modality_labels(
    features: Tensor,
    modalities: np.ndarray,
    options: ClusteringOptions,
    wanted: Iterable[Modality] = Modality,
    *,
    cameras: np.ndarray | None = None,
    refinement: LabelRefinement | None = None,
    say: Say = print,
) -> np.ndarray:
    """Clusters each modality by itself.

    Args:
        features, modalities: [N, D], as :func:`clustering_features` gives them, and [N].
        options: neighbours and radius.
        wanted: modalities to cluster; tracks of others get -1.
        cameras: [N] integers; needed with ``camera_neighbours``.
        refinement: what makes of the clusters the labels to train with, and remembers them; None
            leaves them as they are.
        say: takes a remark for the person at the keyboard.

    Returns:
        [N] int64, counted from 0 within each modality, -1 = noise.

    Raises:
        DegenerateClustering: nothing, everything or mostly noise was found, and
            ``on_collapse`` is ``stop``.
        ValueError: ``camera_neighbours`` without cameras.
    """
    labels = np.full(len(features), -1, np.int64)
    for modality in wanted:
        chosen = modalities == modality
        own = transfers.rows_at(features, chosen)
        seen_by = None if cameras is None else cameras[chosen]
        name = modality.name.lower()
        # By one process, so that no two can disagree.
        found = ranks.from_main(partial(_cluster, own, seen_by, options, name, say))
        labels[chosen] = found.labels if refinement is None else refinement(name, found)
    return labels


def joint_labels(
    features: Tensor,
    modalities: np.ndarray,
    options: ClusteringOptions,
    *,
    refinement: LabelRefinement | None = None,
    say: Say = print,
) -> np.ndarray:
    """Clusters both modalities together with the modality-invariant distance, or a balanced one.

    Args:
        features, modalities: [N, D], as :func:`clustering_features` gives them, and [N].
        options: neighbours and radius over both modalities.
        refinement: as for :func:`intra_modality_labels`.
        say: takes a remark for the person at the keyboard.

    Returns:
        [N] int64 from 0, -1 = noise. Some clusters may hold one modality only; see
        :func:`in_both_modalities`.
    """

    def found() -> tuple[ClusterResult, Clustering]:
        graph = _joint_graph(features, modalities, options)
        eps = options.eps if options.joint_eps is None else options.joint_eps
        result = cluster_graph(graph, eps, options.min_samples)
        return result, _at_three_radii(graph, result, options)

    result, clustering = ranks.from_main(found)
    if result.problem is not None:
        say(f"joint: {result.problem}. {result.advice}")
    if result.num_clusters and not in_both_modalities(result.labels, modalities).any():
        say(f"joint: none of the clusters holds both modalities. {result.advice}")
    return clustering.labels if refinement is None else refinement("joint", clustering)


def in_both_modalities(labels: np.ndarray, modalities: np.ndarray) -> np.ndarray:
    """Which tracks belong to a cluster that holds both modalities.

    Args:
        labels: [N] int64 over both modalities, -1 = noise.
        modalities: [N].

    Returns:
        [N] bool.
    """
    both = np.ones(int(labels.max(initial=-1)) + 1, bool)
    for modality in Modality:
        members = labels[(modalities == modality) & (labels >= 0)]
        both &= np.bincount(members, minlength=len(both)) > 0
    # The last entry stands for noise, which indexes it as -1.
    return np.append(both, False)[labels]
