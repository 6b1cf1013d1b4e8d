"""Pseudo-labels of the training tracks: clusters within each modality, or over both."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..clustering.camera_mean import centre_by_camera
from ..clustering.pseudo_labels import (
    DegenerateClustering,
    check_clustering,
    cluster,
    cluster_graph,
    distance_graph,
)
from ..datasets.track import Modality
from ..distributed import ranks
from ..engine.config import UnsupervisedConfig
from ..engine.session import Session


def clustering_features(features: Tensor, session: Session, config: UnsupervisedConfig) -> Tensor:
    """The features as they are clustered: with or without each camera's mean.

    Args:
        features: [N, D] unit features.

    Returns:
        [N, D] unit features.
    """
    if not config.camera_mean:
        return features
    return centre_by_camera(features, torch.from_numpy(session.cameras))


def _cluster(
    features: Tensor, session: Session, config: UnsupervisedConfig, what: str
) -> np.ndarray:
    graph = distance_graph(features, k1=config.k1, k2=config.k2)
    result = cluster_graph(graph, config.eps, config.min_samples)
    try:
        check_clustering(result, what)
    except DegenerateClustering as degenerate:
        if result.suggested_eps is None:
            raise DegenerateClustering(
                f"{degenerate} The settings are --k1, --min-samples and the epochs before."
            ) from None
        if config.on_collapse == "stop":
            raise DegenerateClustering(
                f"{degenerate} Start again with another --eps, or go on with this run, letting "
                "degenerate clusterings take the suggested value: --resume --on-collapse relax."
            ) from None
        session.say(f"{degenerate} Going on with eps {result.suggested_eps:.3f}.")
        result = cluster_graph(graph, result.suggested_eps, config.min_samples)
    return result.labels


def intra_modality_labels(
    features: Tensor,
    session: Session,
    config: UnsupervisedConfig,
    modalities: Iterable[Modality] = Modality,
) -> np.ndarray:
    """Clusters each modality by itself.

    Args:
        features: [N, D], as :func:`clustering_features` gives them.
        modalities: which ones; tracks of others get -1.

    Returns:
        [N] int64, counted from 0 within each modality, -1 = noise.

    Raises:
        DegenerateClustering: nothing, everything or mostly noise was found, and
            ``--on-collapse`` is ``stop``.
    """
    labels = np.full(len(features), -1, np.int64)
    for modality in modalities:
        chosen = session.modalities == modality
        # By one process, so that no two can disagree.
        labels[chosen] = ranks.from_main(
            partial(
                _cluster,
                features[torch.from_numpy(chosen)],
                session,
                config,
                modality.name.lower(),
            )
        )
    return labels


def joint_labels(
    features: Tensor,
    session: Session,
    config: UnsupervisedConfig,
) -> np.ndarray:
    """Clusters both modalities together with the modality-invariant distance.

    Args:
        features: [N, D], as :func:`clustering_features` gives them.
        config: neighbours and radius over both modalities.

    Returns:
        [N] int64 from 0, -1 = noise or in a cluster of one modality only.
    """
    result = ranks.from_main(
        lambda: cluster(
            features,
            k1=config.joint_k1,
            k2=config.joint_k2,
            eps=config.eps if config.joint_eps is None else config.joint_eps,
            min_samples=config.min_samples,
            modality=session.modalities,
        )
    )
    if result.problem is not None:
        session.say(f"joint: {result.problem}. {result.advice}")
    both = np.ones(result.num_clusters, bool)
    for modality in Modality:
        members = result.labels[(session.modalities == modality) & (result.labels >= 0)]
        both &= np.bincount(members, minlength=result.num_clusters) > 0
    if result.num_clusters and not both.any():
        session.say(f"joint: none of the clusters holds both modalities. {result.advice}")
    # The last entry stands for noise, which indexes it as -1.
    dense = np.append(np.where(both, np.cumsum(both) - 1, -1), -1)
    return dense[result.labels]
