"""Pseudo-labels of tracks: clusters within each modality, or over both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from torch import Tensor

from .. import transfers
from ..clustering.camera_mean import centre_by_camera
from ..clustering.options import ClusteringOptions
from ..clustering.pseudo_labels import (
    DegenerateClustering,
    check_clustering,
    cluster,
    cluster_graph,
    distance_graph,
)
from ..datasets.track import Modality
from ..distributed import ranks

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


def _cluster(features: Tensor, options: ClusteringOptions, what: str, say: Say) -> np.ndarray:
    graph = distance_graph(features, k1=options.k1, k2=options.k2)
    result = cluster_graph(graph, options.eps, options.min_samples)
    try:
        check_clustering(result, what)
    except DegenerateClustering as degenerate:
        if result.suggested_eps is None:
            raise DegenerateClustering(
                f"{degenerate} The settings are --k1, --min-samples and the epochs before."
            ) from None
        if options.on_collapse == "stop":
            raise DegenerateClustering(
                f"{degenerate} Start again with another --eps, or go on with this run, letting "
                "degenerate clusterings take the suggested value: --resume --on-collapse relax."
            ) from None
        say(f"{degenerate} Going on with eps {result.suggested_eps:.3f}.")
        result = cluster_graph(graph, result.suggested_eps, options.min_samples)
    return result.labels


def intra_modality_labels(
    features: Tensor,
    modalities: np.ndarray,
    options: ClusteringOptions,
    wanted: Iterable[Modality] = Modality,
    *,
    say: Say = print,
) -> np.ndarray:
    """Clusters each modality by itself.

    Args:
        features, modalities: [N, D], as :func:`clustering_features` gives them, and [N].
        options: neighbours and radius.
        wanted: modalities to cluster; tracks of others get -1.
        say: takes a remark for the person at the keyboard.

    Returns:
        [N] int64, counted from 0 within each modality, -1 = noise.

    Raises:
        DegenerateClustering: nothing, everything or mostly noise was found, and
            ``on_collapse`` is ``stop``.
    """
    labels = np.full(len(features), -1, np.int64)
    for modality in wanted:
        chosen = modalities == modality
        own = transfers.rows_at(features, chosen)
        # By one process, so that no two can disagree.
        labels[chosen] = ranks.from_main(
            partial(_cluster, own, options, modality.name.lower(), say)
        )
    return labels


def joint_labels(
    features: Tensor, modalities: np.ndarray, options: ClusteringOptions, *, say: Say = print
) -> np.ndarray:
    """Clusters both modalities together with the modality-invariant distance.

    Args:
        features, modalities: [N, D], as :func:`clustering_features` gives them, and [N].
        options: neighbours and radius over both modalities.
        say: takes a remark for the person at the keyboard.

    Returns:
        [N] int64 from 0, -1 = noise. Some clusters may hold one modality only; see
        :func:`in_both_modalities`.
    """
    result = ranks.from_main(
        lambda: cluster(
            features,
            k1=options.joint_k1,
            k2=options.joint_k2,
            eps=options.eps if options.joint_eps is None else options.joint_eps,
            min_samples=options.min_samples,
            modality=modalities,
        )
    )
    if result.problem is not None:
        say(f"joint: {result.problem}. {result.advice}")
    if result.num_clusters and not in_both_modalities(result.labels, modalities).any():
        say(f"joint: none of the clusters holds both modalities. {result.advice}")
    labels: np.ndarray = result.labels
    return labels


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
