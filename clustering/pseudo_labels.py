"""Features in, pseudo-labels out; and the refusal of a clustering that cannot be trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor

from ..errors import UserError
from .dbscan import dbscan
from .eps_scan import cluster_counts, distance_quantiles, suggest_eps
from .jaccard import jaccard_distance

MOST_NOISE = 0.8


class DegenerateClustering(UserError, ValueError):
    """A clustering without the clusters that training needs."""


@dataclass(frozen=True, slots=True)
class ClusterResult:
    """Pseudo-labels and what one wants to know about them.

    Attributes:
        labels: ``[N]`` int64, 0 … num_clusters − 1, −1 for noise.
        num_clusters: number of clusters.
        noise_share: share of samples without a cluster, 0 to 1.
        largest: samples in the largest cluster.
        eps: DBSCAN's radius.
        distance_quantiles: quantile q → ε at which a share q of the samples are core samples.
        suggested_eps: where the clustering is degenerate, an ε that is not; None if there is none,
            or no need.
    """

    labels: NDArray[np.int64]
    num_clusters: int
    noise_share: float
    largest: int
    eps: float
    distance_quantiles: dict[float, float]
    suggested_eps: float | None = None

    @property
    def problem(self) -> str | None:
        """Why this clustering cannot be trained on, None if it can."""
        if len(self.labels) == 0:
            return "there is no sample to cluster"
        if self.num_clusters == 0:
            return "no cluster was found"
        if self.num_clusters == 1:
            return "all samples but the noise fell into one cluster"
        if self.noise_share > MOST_NOISE:
            return f"{self.noise_share:.0%} of the samples are noise (at most {MOST_NOISE:.0%})"
        return None

    @property
    def advice(self) -> str:
        """Counts, distance quantiles and the suggested ε as one sentence for people."""
        if len(self.labels) == 0:
            return "Training without labels needs both modalities."
        quantiles = ", ".join(f"{q:.0%}: {d:.3f}" for q, d in self.distance_quantiles.items())
        way_on = (
            "no ε separates these samples: train the features longer or take a smaller k1"
            if self.suggested_eps is None
            else f"try ε = {self.suggested_eps:.2f}"
        )
        return (
            f"{len(self.labels)} samples, {self.num_clusters} clusters, largest {self.largest}, "
            f"ε = {self.eps}; ε at which a share of the samples is dense enough to found a "
            f"cluster: {quantiles}; {way_on}."
        )


def cluster(
    features: Tensor | ArrayLike,
    *,
    k1: int = 30,
    k2: int = 6,
    eps: float = 0.6,
    min_samples: int = 4,
    modality: Tensor | ArrayLike | None = None,
) -> ClusterResult:
    """Clusters features: neighbours, sparse Jaccard distance, DBSCAN.

    Args:
        features: ``[N, D]``, see ``jaccard_distance``.
        k1, k2, modality: see ``jaccard_distance``.
        eps, min_samples: see ``dbscan``.

    Returns:
        Labels and counts; a degenerate clustering comes back too, for ``check_clustering``, also
        that of no sample at all.

    Raises:
        ValueError: see ``jaccard_distance`` and ``dbscan``.
    """
    graph = distance_graph(features, k1=k1, k2=k2, modality=modality)
    return cluster_graph(graph, eps, min_samples)


def distance_graph(
    features: Tensor | ArrayLike,
    *,
    k1: int = 30,
    k2: int = 6,
    modality: Tensor | ArrayLike | None = None,
) -> sparse.csr_array:
    """``jaccard_distance`` that also knows what no sample at all gives: an empty graph.

    Args:
        features: ``[N, D]``; N may be 0.
        k1, k2, modality: see ``jaccard_distance``.

    Returns:
        ``[N, N]``, for :func:`cluster_graph` at one ε after another.

    Raises:
        ValueError: see ``jaccard_distance``.
    """
    if len(np.shape(features)) and np.shape(features)[0] == 0:
        return sparse.csr_array((0, 0), dtype=np.float32)
    return jaccard_distance(features, k1, k2, modality=modality)


def cluster_graph(graph: sparse.csr_array, eps: float = 0.6, min_samples: int = 4) -> ClusterResult:
    """``cluster`` from a distance graph that is there already.

    Args:
        graph: ``[N, N]``, as :func:`distance_graph` returns it.
        eps, min_samples: see ``dbscan``.

    Raises:
        ValueError: see ``dbscan``.
    """
    if graph.shape[0] == 0:
        return ClusterResult(np.empty(0, np.int64), 0, 0.0, 0, eps, {})
    labels = dbscan(graph, eps, min_samples)
    counts = cluster_counts(labels)
    quantiles = distance_quantiles(graph, min_samples)
    result = ClusterResult(labels, *counts, eps, quantiles)
    if result.problem is None:
        return result
    return ClusterResult(labels, *counts, eps, quantiles, suggest_eps(graph, min_samples))


def check_clustering(result: ClusterResult, name: str = "clustering") -> None:
    """Stops before an epoch on labels that teach nothing.

    Args:
        result: what :func:`cluster` returned.
        name: what was clustered, for the message ("infrared").

    Raises:
        DegenerateClustering: no sample, no cluster, one cluster, or more than 80 % noise; the
            message gives the distance quantiles and a suggested ε.
    """
    if result.problem is not None:
        raise DegenerateClustering(f"{name}: {result.problem}. {result.advice}")
