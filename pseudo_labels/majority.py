"""The most frequent value of each cluster: its person, or its camera."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]


class Majorities(NamedTuple):
    """What most members of each cluster have.

    Attributes:
        clusters: [C] labels, rising.
        values: [C] most frequent value of each cluster, the smallest of equals.
        counts: [C] members with it.
        sizes: [C] members.
    """

    clusters: Integers
    values: Integers
    counts: Integers
    sizes: Integers


def majorities(labels: ArrayLike, values: ArrayLike) -> Majorities:
    """The majority of each cluster; ``labels`` and ``values`` are [N] integers, -1 = noise."""
    found, given = np.asarray(labels), np.asarray(values)
    kept = found >= 0
    clusters, rows, sizes = np.unique(found[kept], return_inverse=True, return_counts=True)
    kinds, columns = np.unique(given[kept], return_inverse=True)
    width = max(1, len(kinds))
    pairs, counts = np.unique(rows * width + columns, return_counts=True)
    # By cluster, the largest count first; the sort is stable, so the smallest value of equals.
    order = np.lexsort((-counts, pairs // width))
    first = order[np.unique((pairs // width)[order], return_index=True)[1]]
    return Majorities(clusters, kinds[pairs[first] % width], counts[first], sizes)


def majority_share(labels: ArrayLike, values: ArrayLike) -> float:
    """Share of clustered samples that have the most frequent value of their cluster.

    With cameras as values it says whether clusters are cameras; with identities it is purity. NaN
    without a clustered sample.
    """
    found = majorities(labels, values)
    return float(found.counts.sum() / found.sizes.sum()) if len(found.sizes) else math.nan
