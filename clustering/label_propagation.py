"""This clustering's labels, smoothed by those of the clustering before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .dbscan import NOISE

Labels = NDArray[np.int64]
# A share this small decides nothing and would be carried along for ever.
SMALLEST_SHARE = 1e-3
# Shares closer than the rounding of their sums count as equal.
DECIMALS = 9


def consensus(before: Labels, now: Labels) -> sparse.csr_array:
    """How the clusters of one clustering map to those of the next.

    Source: Zhang et al., "Refining pseudo labels with clustering consensus over generations for
    unsupervised object re-identification" (RLCC), CVPR 2021: intersection over union of each
    cluster before with each one now, its rows scaled to sum 1, as the released code computes it.

    Args:
        before: ``[N]`` labels from 0, −1 is noise, which belongs to no cluster.
        now: ``[N]``, of the same samples.

    Returns:
        ``[clusters before, clusters now]`` float64; rows sum to 1, or to 0 where no member is in a
        cluster any more.

    Raises:
        ValueError: labels of different lengths.
    """
    one, other = memberships(before), memberships(now)
    if one.shape[0] != other.shape[0]:
        raise ValueError(f"expected labels of the same samples, found {before.shape}, {now.shape}")
    shared = (one.T @ other).tocoo()
    sizes = np.asarray(one.sum(0)), np.asarray(other.sum(0))
    union = sizes[0][shared.row] + sizes[1][shared.col] - shared.data
    ratio = shared.data / union
    total = np.bincount(shared.row, ratio, minlength=shared.shape[0])
    entries = (ratio / total[shared.row], (shared.row, shared.col))
    return sparse.csr_array(entries, shape=shared.shape)


def memberships(labels: Labels) -> sparse.csr_array:
    """Labels as shares: 1 in the own cluster's column.

    Args:
        labels: ``[N]`` from 0, −1 is noise.

    Returns:
        ``[N, clusters]`` float64; the row of noise is empty.
    """
    rows = np.flatnonzero(labels != NOISE)
    shape = (len(labels), int(labels.max(initial=NOISE)) + 1)
    return sparse.csr_array((np.ones(len(rows)), (rows, labels[rows])), shape=shape)


def propagate(
    shares: sparse.csr_array, before: Labels, now: Labels, weight: float
) -> sparse.csr_array:
    """Mixes the shares of the clustering before, mapped by the consensus, into the labels now.

    shares ← (1 − weight) · labels now + weight · shares before · consensus. What a row lacks of 1
    is the share of noise. Source: after RLCC (see :func:`consensus`), whose soft label is such a
    mixture; its second part, predictions by the distance to the last centres, is left out.

    Args:
        shares: ``[N, clusters before]``, what this function returned last, or
            ``memberships(before)``.
        before: ``[N]`` labels of the clustering before, as it was found.
        now: ``[N]`` labels of this one.
        weight: of the clusterings before, 0 to 1.

    Returns:
        ``[N, clusters now]`` float64, rows sum to 1 at most.

    Raises:
        ValueError: a weight outside 0 to 1, or shapes that do not fit.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight: expected 0 to 1, found {weight}")
    mapping = consensus(before, now)
    if shares.shape != (len(now), mapping.shape[0]):
        raise ValueError(f"shares: expected {(len(now), mapping.shape[0])}, found {shares.shape}")
    mixed = ((1 - weight) * memberships(now) + weight * (shares @ mapping)).tocsr()
    mixed.data[mixed.data < SMALLEST_SHARE] = 0
    mixed.eliminate_zeros()
    mixed.sort_indices()
    return mixed


def heaviest(shares: sparse.csr_array, now: Labels) -> Labels:
    """The label of the largest share of each row, noise being one; the present label wins a tie.

    Args:
        shares: ``[N, clusters]``, as :func:`propagate` returns them.
        now: ``[N]`` labels of the present clustering.

    Returns:
        ``[N]``, −1 is noise; a cluster may have lost all its members.
    """
    entries = shares.tocoo()
    every = np.arange(len(now))
    row = np.concatenate([entries.row, every])
    label = np.concatenate([entries.col, np.full(len(now), NOISE)])
    lacking = 1 - np.asarray(shares.sum(1)).reshape(-1)
    share = np.round(np.concatenate([entries.data, lacking]), DECIMALS)
    order = np.lexsort((label, label != now[row], -share, row))
    first = np.searchsorted(row[order], every)
    return label[order[first]].astype(np.int64)
