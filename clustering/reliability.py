"""Which clusters and members hold at a looser and at a tighter radius."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .dbscan import NOISE

Labels = NDArray[np.int64]


def reliable_labels(
    labels: Labels,
    tight: Labels,
    loose: Labels,
    *,
    threshold: float | None = None,
    share: float = 0.9,
) -> tuple[Labels, float | None]:
    """Keeps the clusters, and of these the members, that two other radii confirm.

    Compared is the cluster of each sample with its clusters at the two radii, by intersection over
    union; an outlier is a cluster of its own. A cluster is *independent* where a looser radius
    hardly adds to it, by its member that shows this best; those below the threshold go. A member is
    *compact* where a tighter radius leaves it with as much of the cluster as any other member;
    those that fall off go. Source: Ge et al., "Self-paced contrastive learning with hybrid memory"
    (SpCL), NeurIPS 2020, section 3.2, as its released code computes it. What goes is noise here;
    there it teaches on as a class of its own.

    Args:
        labels: ``[N]``, −1 is noise.
        tight: ``[N]``, of a smaller radius.
        loose: ``[N]``, of a larger one.
        threshold: least independence of a cluster, 0 to 1; None: the one that about ``share`` of
            these clusters reach. SpCL takes that of the first epoch for all.
        share: 0 to 1; what ``threshold`` says has precedence.

    Returns:
        Labels ``[N]`` without gaps, and the threshold; None where there is no cluster of two.

    Raises:
        ValueError: labels of different lengths, or a share outside 0 to 1.
    """
    if not labels.shape == tight.shape == loose.shape or labels.ndim != 1:
        raise ValueError(
            f"expected labels [N] three times, found {labels.shape}, {tight.shape}, {loose.shape}"
        )
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected 0 to 1, found {share}")
    inside = labels != NOISE
    own = labels[inside]
    count = int(own.max(initial=NOISE)) + 1
    independence, compactness = np.zeros(count), np.zeros(count)
    np.maximum.at(independence, own, overlap(labels, loose)[inside])
    compact = overlap(labels, tight)[inside]
    np.maximum.at(compactness, own, compact)
    if threshold is None:
        falling = np.sort(independence[np.bincount(own, minlength=count) > 1])[::-1]
        if len(falling) == 0:
            return labels.copy(), None
        threshold = float(falling[min(len(falling) - 1, round(len(falling) * share))])
    kept = np.full(len(labels), NOISE, np.int64)
    stays = (independence[own] >= threshold) & (compact >= compactness[own])
    kept[inside] = np.where(stays, own, NOISE)
    return without_gaps(kept, least=2), threshold


def overlap(labels: Labels, others: Labels) -> NDArray[np.float64]:
    """Intersection over union of each sample's two clusters.

    Args:
        labels: ``[N]``; each −1 is a cluster of its own.
        others: ``[N]``, the same.

    Returns:
        ``[N]``, above 0 and up to 1.
    """
    one, other = _outliers_apart(labels), _outliers_apart(others)
    pair = np.unique(np.stack([one, other]), axis=1, return_inverse=True)[1].reshape(-1)
    shared = np.bincount(pair, minlength=1)[pair]
    union = np.bincount(one, minlength=1)[one] + np.bincount(other, minlength=1)[other] - shared
    return shared / np.maximum(union, 1)


def without_gaps(labels: Labels, least: int = 1) -> Labels:
    """Numbers clusters anew, in their order, and leaves out those that are too small.

    Args:
        labels: ``[N]``, −1 is noise.
        least: members of a cluster that stays.

    Returns:
        ``[N]``, 0 … C − 1 and −1.
    """
    sizes = np.bincount(labels[labels != NOISE], minlength=1)
    number = np.where(sizes >= max(1, least), np.cumsum(sizes >= max(1, least)) - 1, NOISE)
    # The last entry stands for noise, which indexes it as −1.
    return np.append(number, NOISE)[labels].astype(np.int64)


def _outliers_apart(labels: Labels) -> Labels:
    noise = labels == NOISE
    apart = labels.copy()
    apart[noise] = int(labels.max(initial=NOISE)) + 1 + np.arange(noise.sum())
    return apart
