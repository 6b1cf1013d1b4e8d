"""K-means inside every cluster, all clusters at once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from numpy.typing import ArrayLike
from torch import Tensor

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
    label = torch.as_tensor(labels, device=matrix.device)
    if label.shape != matrix.shape[:1]:
        raise ValueError(
            f"labels: expected one for each of the {len(matrix)} rows, found shape "
            f"{tuple(label.shape)}"
        )
    if k < 1:
        raise ValueError(f"k: expected at least 1, found {k}")
    members = (label >= 0).nonzero().flatten()
    names, cluster = torch.unique(label[members], return_inverse=True)
    centres = matrix.new_zeros(len(names), k, matrix.shape[1])
    sizes = torch.zeros(len(names), k, dtype=torch.int64, device=matrix.device)
    members = members[cluster.argsort(stable=True)]
    counts = torch.bincount(cluster, minlength=len(names))
    with exact_matmul(matrix.device):
        room = BUCKET_VALUES if matrix.device.type == "cpu" else DEVICE_BUCKET_VALUES
        for bucket in _buckets(counts.cpu(), matrix.shape[1], k, room):
            bucket = bucket.to(matrix.device)
            rows, mask = _member_table(members, counts, bucket)
            # Padding holds rows of the same cluster; only weights of 0 keep it out.
            points = matrix.index_select(0, rows.flatten()).view(*rows.shape, -1)
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
            found = means.fit_predict(points[0].cpu().numpy())
        part = torch.as_tensor(found, device=points.device).long()[None]
    too_few = mask.sum(1) < k
    return torch.where(too_few[:, None], torch.zeros_like(part), part).view(count, largest)


def _buckets(counts: Tensor, width: int, k: int, room: int) -> Iterator[Tensor]:
    """Clusters of similar size together, within a bound on the memory that a bucket takes."""
    order = counts.argsort(stable=True)
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


def _member_table(members: Tensor, counts: Tensor, bucket: Tensor) -> tuple[Tensor, Tensor]:
    """Feature rows of the members of each cluster of a bucket, padded, and the mask of the real."""
    first = counts.cumsum(0) - counts
    size = counts[bucket]
    column = torch.arange(int(size.max()), device=members.device)
    mask = column < size[:, None]
    place = first[bucket][:, None] + torch.where(mask, column, 0)
    return members[place], mask
