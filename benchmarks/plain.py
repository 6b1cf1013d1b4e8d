"""Plain dense versions, as released code writes them: Python loops over N×N arrays.

They are what the benchmarks compare with, and give the same results (checked there).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN, KMeans

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def jaccard(features: Floats, ranks: Integers, k2: int) -> Floats:
    """Dense k-reciprocal Jaccard distance from neighbour lists ``[N, k1]``, ``[N, N]``."""
    count, k1 = ranks.shape
    half = round(k1 / 2) + 1

    def reciprocal(i: int, length: int) -> Integers:
        forward = ranks[i, :length]
        backward = ranks[forward, :length]
        return forward[np.where(backward == i)[0]]

    near_k1 = [reciprocal(i, k1) for i in range(count)]
    near_half = [reciprocal(i, half) for i in range(count)]
    weights = np.zeros((count, count), np.float32)
    for i in range(count):
        members = near_k1[i]
        for candidate in near_k1[i]:
            others = near_half[candidate]
            if len(np.intersect1d(others, near_k1[i])) > 2 / 3 * len(others):
                members = np.append(members, others)
        members = np.unique(members)
        mass = np.exp(-(2 - 2 * features[members] @ features[i]))
        weights[i, members] = mass / mass.sum()
    if k2 > 1:
        expanded = np.zeros_like(weights)
        for i in range(count):
            expanded[i] = weights[ranks[i, :k2]].mean(0)
        weights = expanded
    inverse = [np.where(weights[:, i] != 0)[0] for i in range(count)]
    distance = np.zeros((count, count), np.float32)
    for i in range(count):
        shared = np.zeros(count, np.float32)
        for column in np.where(weights[i] != 0)[0]:
            rows = inverse[column]
            shared[rows] += np.minimum(weights[i, column], weights[rows, column])
        distance[i] = 1 - shared / (2 - shared)
    return np.maximum(distance, 0)


def dbscan(distance: Floats, eps: float, min_samples: int) -> Integers:
    """scikit-learn's DBSCAN on a dense matrix."""
    found = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed", n_jobs=-1)
    return found.fit_predict(distance)


def rank_metrics(
    order: Integers,
    query_ids: Integers,
    gallery_ids: Integers,
    query_cameras: Integers,
    gallery_cameras: Integers,
    max_rank: int = 20,
) -> tuple[Floats, float, float]:
    """CMC, mAP and mINP from a sorted gallery ``[Q, G]``, query by query."""
    curves, precisions, penalties = [], [], []
    matches = gallery_ids[order] == query_ids[:, None]
    for q in range(len(order)):
        removed = matches[q] & (gallery_cameras[order[q]] == query_cameras[q])
        hits = matches[q][~removed].astype(np.int64)
        if not hits.any():
            continue
        found = hits.cumsum()
        last = np.where(hits == 1)[0].max()
        penalties.append(found[last] / (last + 1))
        curve = found.copy()
        curve[curve > 1] = 1
        curves.append(curve[:max_rank])
        precision = found / np.arange(1, len(found) + 1) * hits
        precisions.append(precision.sum() / hits.sum())
    return np.mean(curves, 0), float(np.mean(precisions)), float(np.mean(penalties))


def subcluster_centres(
    features: Floats, labels: Integers, k: int, starts: int
) -> tuple[Floats, float]:
    """One K-means a cluster; centres ``[C, k, D]`` and the summed inertia."""
    centres, inertia = [], 0.0
    for cluster in range(labels.max() + 1):
        found = KMeans(k, n_init=starts, random_state=0).fit(features[labels == cluster])
        centres.append(found.cluster_centers_)
        inertia += found.inertia_
    return np.stack(centres), inertia


def matching_cost(visible: Floats, infrared: Floats) -> Floats:
    """Sum over a visible cluster's centres of the distance to the nearest infrared centre."""
    cost = np.zeros((len(visible), len(infrared)), np.float32)
    for v in range(len(visible)):
        for i in range(len(infrared)):
            for centre in visible[v]:
                cost[v, i] += np.linalg.norm(infrared[i] - centre, axis=1).min()
    return cost


def update_memory(prototypes: Floats, features: Floats, labels: Integers, momentum: float) -> None:
    """Momentum update, sample by sample, in place."""
    for feature, label in zip(features, labels):
        prototypes[label] = momentum * prototypes[label] + (1 - momentum) * feature
        prototypes[label] /= np.linalg.norm(prototypes[label])
