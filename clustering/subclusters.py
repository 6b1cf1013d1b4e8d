"""K-means inside every cluster, all clusters at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .. import transfers
from .feature_check import as_matrix, exact_matmul
from .gram_kmeans import RESTARTS, gram_kmeans

# Beyond this many members the n × n products cost more than they save.
LARGEST_GRAM = 3000
# What stays in the cache of a CPU core, and what keeps a GPU busy.
BUCKET_VALUES = 1 << 21
DEVICE_BUCKET_VALUES = 1 << 26


def subcluster_centres(
    features: Tensor | ArrayLike, labels: Tensor | ArrayLike, k: int = 4, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Splits every cluster into k sub-clusters by K-means and returns their centres.

    The best of ten greedy k-means++ starts, each run until no sample moves, on Euclidean
    distances. Every cluster sees the same random numbers, so its centres depend neither on its
    number nor on the other clusters. This is the *learn* step of multi-memory matching (MMM).

    Args:
        features: ``[N, D]`` floating point tensor or array, used as it is (not normalised).
        labels: ``[N]`` integers; −1 (any negative number) is noise and ignored, gaps between
            numbers are closed.
        k: centres for each cluster, at least 1.
        seed: of the k-means++ starts.

    Returns:
        Centres ``[C, k, D]`` in the features' dtype (half precision: float32) and device, clusters
        by rising label, C = number of different labels ≥ 0; and sizes ``[C, k]`` int64, the members
        of each centre. A cluster of fewer than k members has its mean k times and all members
        counted on the first. A cluster of fewer than k *different* samples repeats the centre
        of its largest part; the repetitions have size 0.

    Raises:
        ValueError: bad features (see ``as_matrix``), labels of another length, k < 1.
        TypeError: features that are not floating point.
    """
    matrix = as_matrix(features)
    label = transfers.host_array(labels)
    if label.shape != (len(matrix),):
        raise ValueError(
            f"labels: expected one for each of the {len(matrix)} rows, found shape {label.shape}"
        )
    if k < 1:
        raise ValueError(f"k: expected at least 1, found {k}")
    members = np.flatnonzero(label >= 0)
    _, cluster, counts = np.unique(label[members], return_inverse=True, return_counts=True)
    members = members[cluster.argsort(kind="stable")]
    centres = matrix.new_zeros(len(counts), k, matrix.shape[1])
    sizes = torch.zeros(len(counts), k, dtype=torch.int64, device=matrix.device)
    with exact_matmul(matrix.device):
        room = BUCKET_VALUES if transfers.is_host(matrix) else DEVICE_BUCKET_VALUES
        for chosen in _buckets(counts, matrix.shape[1], k, room):
            rows, real = _member_table(members, counts, chosen)
            # Padding holds rows of the same cluster; only weights of 0 keep it out.
            points = transfers.rows_at(matrix, rows.ravel()).view(*rows.shape, -1)
            bucket, mask = (transfers.to_device(a, matrix.device) for a in (chosen, real))
            # Distances do not change when a cluster is moved to its mean; their rounding does.
            share = (mask / mask.sum(1, keepdim=True)).to(points.dtype)
            mean = share[:, None] @ points
            points -= mean
            part = _split(points, mask, k, seed)
            weight = torch.nn.functional.one_hot(part, k).to(points.dtype) * mask[..., None]
            size = weight.sum(1)
            centre = weight.mT @ points / size.clamp_min(1)[..., None] + mean
            largest = size.argmax(1)
            fallback = centre[torch.arange(len(bucket), device=bucket.device), largest]
            centres[bucket] = torch.where(size[..., None] > 0, centre, fallback[:, None])
            sizes[bucket] = size.long()
    return centres, sizes


def _split(points: Tensor, mask: Tensor, k: int, seed: int) -> Tensor:
    """Sub-cluster of each point of each cluster, ``[B, n]``, for clusters of similar size."""
    count, largest, _ = points.shape
    if largest <= LARGEST_GRAM:
        part = gram_kmeans(points, mask, k, seed)
    else:  # buckets this large hold one cluster, without padding
        from sklearn.cluster import KMeans  # takes seconds to import
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():  # fewer than k different samples are dealt with here
            warnings.simplefilter("ignore", ConvergenceWarning)
            means = KMeans(k, n_init=RESTARTS, random_state=seed)
            found = means.fit_predict(transfers.to_host(points[0]))
        part = torch.as_tensor(found, device=points.device).long()[None]
    too_few = mask.sum(1) < k
    return torch.where(too_few[:, None], torch.zeros_like(part), part).view(count, largest)


def _buckets(
    counts: NDArray[np.int64], width: int, k: int, room: int
) -> Iterator[NDArray[np.int64]]:
    """Clusters of similar size together, within a bound on the memory that a bucket takes."""
    order = counts.argsort(kind="stable")
    sizes = counts[order].tolist()
    start = 0
    while start < len(sizes):
        stop = start + 1
        # Padding to the largest of the bucket wastes at most a quarter.
        while stop < len(sizes) and sizes[stop] <= max(1.25 * sizes[start], k):
            values = (stop + 1 - start) * sizes[stop] * (2 * sizes[stop] + 8 * RESTARTS * k + width)
            if values > room:
                break
            stop += 1
        yield order[start:stop]
        start = stop


def _member_table(
    members: NDArray[np.int64], counts: NDArray[np.int64], bucket: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Feature rows of the members of each cluster of a bucket, padded, and the mask of the real."""
    first = counts.cumsum(0) - counts
    size = counts[bucket]
    column = np.arange(size.max())
    mask = column < size[:, None]
    place = first[bucket][:, None] + np.where(mask, column, 0)
    return members[place], mask
