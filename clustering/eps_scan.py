"""A grid of ε from one distance graph: what DBSCAN would find at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .dbscan import NOISE, core_distances, dbscan

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
MOST_NOISE = 0.5


@dataclass(frozen=True, slots=True)
class ScanRow:
    """What DBSCAN finds at one ε.

    Attributes:
        eps: radius.
        clusters: number of clusters.
        noise_share: share of samples without a cluster, 0 to 1.
        largest: samples in the largest cluster.
        ari: adjusted Rand index against the identities, every noise sample counted as a cluster
            of its own; None where no identities were given.
    """

    eps: float
    clusters: int
    noise_share: float
    largest: int
    ari: float | None


def scan_eps(
    distance: sparse.csr_array,
    eps_values: Sequence[float],
    min_samples: int = 4,
    identities: torch.Tensor | ArrayLike | None = None,
) -> list[ScanRow]:
    """Runs DBSCAN for each ε on one graph.

    Args:
        distance, min_samples: as for ``dbscan``.
        eps_values: radii, each in [0, 1).
        identities: ``[N]`` true identities, for the agreement only.

    Returns:
        One row for each ε, in the order given.

    Raises:
        ValueError: see ``dbscan``; identities of another length.
    """
    truth = None if identities is None else np.asarray(identities)
    if truth is not None and truth.shape != (distance.shape[0],):
        raise ValueError(
            f"identities: expected one for each of the {distance.shape[0]} samples, found shape "
            f"{truth.shape}"
        )
    return [_row(dbscan(distance, eps, min_samples), eps, truth) for eps in eps_values]


def _row(labels: NDArray[np.int64], eps: float, truth: NDArray[np.generic] | None) -> ScanRow:
    clusters, noise_share, largest = cluster_counts(labels)
    ari = None
    if truth is not None:
        from sklearn.metrics import adjusted_rand_score  # takes seconds to import

        noise = labels == NOISE
        single = np.where(noise, clusters + np.cumsum(noise), labels)
        ari = float(adjusted_rand_score(truth, single))
    return ScanRow(eps, clusters, noise_share, largest, ari)


def cluster_counts(labels: NDArray[np.int64]) -> tuple[int, float, int]:
    """Number of clusters, share of noise (0 for no samples), and size of the largest cluster."""
    sizes = np.bincount(labels[labels != NOISE])
    noise_share = float(np.mean(labels == NOISE)) if len(labels) else 0.0
    return int(np.count_nonzero(sizes)), noise_share, int(sizes.max(initial=0))


def distance_quantiles(distance: sparse.csr_array, min_samples: int = 4) -> dict[float, float]:
    """Quantiles of the radius at which samples become core samples.

    With ε at the quantile q, a share q of the samples is dense enough to found a cluster.

    Args:
        distance, min_samples: as for ``dbscan``.

    Returns:
        Quantile → distance, 0 to 1.
    """
    radius = core_distances(distance, min_samples)
    return {q: float(np.quantile(radius, q)) for q in QUANTILES}


def suggest_eps(distance: sparse.csr_array, min_samples: int = 4) -> float | None:
    """Suggests an ε for a graph whose clustering came out degenerate.

    Args:
        distance, min_samples: as for ``dbscan``.

    Returns:
        Among 0.05, 0.10 … 0.95 the ε with the most clusters that leaves at most half of the
        samples as noise; None if no ε gives at least two clusters so.
    """
    rows = [r for r in scan_eps(distance, GRID, min_samples) if r.noise_share <= MOST_NOISE]
    best = max(rows, key=lambda row: row.clusters, default=None)
    return best.eps if best is not None and best.clusters > 1 else None
