"""Errors of pairs where nobody knows who is who: an approximation from what a camera rules out.

Tracklets of one camera at overlapping times show different people. Two halves of one tracklet show
one person. Neither says how a person looks in another camera or modality, so the missed share is
far below the true one, and a threshold that few such pairs pass is only as good as the likeness of
people who walk together to that of people anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor

from .. import transfers
from .calibration import Aims, OperatingPoint, interval, resampled_people
from .pair_rates import LargestScores, lowest_threshold

PAIRS = 1 << 16  # of a block


def overlapping_pairs(cameras: ArrayLike, starts: ArrayLike, ends: ArrayLike) -> NDArray[np.int64]:
    """Pairs of tracklets that one camera saw at one time.

    Args:
        cameras: [N] integers.
        starts, ends: [N] seconds; tracklets that only touch do not overlap.

    Returns:
        [M, 2], each pair once.
    """
    camera, start, end = (np.asarray(values) for values in (cameras, starts, ends))
    found = [np.empty((0, 2), np.int64)]
    for one in np.unique(camera):
        here = np.flatnonzero(camera == one)
        here = here[np.argsort(start[here], kind="stable")]
        # Of those that start no earlier, the ones that start before this one ends.
        until = np.searchsorted(start[here], end[here], side="left")
        after = np.maximum(until - np.arange(len(here)) - 1, 0)
        first = np.repeat(np.arange(len(here)), after)
        begins = np.repeat(np.cumsum(after) - after, after)
        second = first + 1 + np.arange(len(first)) - begins
        found.append(np.stack([here[first], here[second]], axis=1))
    return np.concatenate(found)


def pair_scores(first: Tensor, second: Tensor, pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    """Inner products of chosen rows, in blocks.

    Args:
        first, second: [N, D] and [M, D] floating.
        pairs: [K, 2], a row of each.

    Returns:
        [K] float32.
    """
    parts = [np.empty(0, np.float32)]
    for start in range(0, len(pairs), PAIRS):
        a, b = pairs[start : start + PAIRS].T
        with torch.inference_mode():
            products = (transfers.rows_at(first, a) * transfers.rows_at(second, b)).sum(dim=1)
        parts.append(transfers.to_host(products.float()))
    return np.concatenate(parts)


def if_independent(fmr: float, size: int) -> float:
    """FPIR of a search among N people if its comparisons were independent: 1 − (1 − FMR)^N.

    ISO/IEC 19795-1 calls this the binomial model; scores of one probe are alike, so it is a rule of
    thumb.

    Args:
        fmr: false-match rate of a pair.
        size: people in the gallery, N.
    """
    return float(-np.expm1(size * np.log1p(-fmr))) if fmr < 1 else 1.0


@dataclass(frozen=True)
class TrackletCalibration:
    """Errors of one modality, approximated.

    Attributes:
        tracklets: how many there are.
        mated: pairs of halves.
        nonmated: pairs at overlapping times.
        points: thresholds; FPIR by the binomial model, FNIR unknown.
        unreachable: rates that the data is too small to show.
    """

    tracklets: int
    mated: int
    nonmated: int
    points: list[OperatingPoint]
    unreachable: list[str]


def calibrate_tracklets(
    features: Tensor,
    halves: tuple[Tensor, Tensor],
    pairs: NDArray[np.int64],
    aims: Aims,
    *,
    resamplings: int = 500,
    seed: int = 0,
) -> TrackletCalibration:
    """Thresholds from tracklets without identities.

    Args:
        features: [N, D], unit rows, of whole tracklets.
        halves: the same of their first and second halves.
        pairs: [M, 2], of different people, see :func:`overlapping_pairs`.
        aims: ``fmr`` and ``sizes`` are read.
        resamplings: of the tracklets; people who were seen several times are not known, so the
            intervals are narrower than they should be.
        seed: of the resamplings.
    """
    count = len(features)
    both = np.repeat(np.arange(count)[:, None], 2, axis=1)
    same = pair_scores(*halves, both)
    different = pair_scores(features, features, pairs)
    largest = LargestScores(int(max(aims.fmr, default=0.0) * len(different)) + 2)
    largest.add(different)
    tail = largest.sorted()
    weights = resampled_people(count, resamplings, seed)
    every = _counted(weights, pairs, count)
    points, unreachable = [], []
    for rate in aims.fmr:
        threshold = lowest_threshold(tail, len(different), rate)
        if threshold is None:
            unreachable.append(f"FMR {rate:g}: {len(different):,} pairs at overlapping times")
            continue
        wrong = different >= np.float32(threshold)
        lost = same < np.float32(threshold)
        fmr, fnmr = float(wrong.mean()), float(lost.mean())
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = {
                "fmr": _counted(weights, pairs[wrong], count) / every,
                "fnmr": weights @ lost / weights.sum(axis=1),
            }
        involved = len(np.unique(pairs))
        intervals = {
            "fmr": interval(spread["fmr"], fmr, involved),
            "fnmr": interval(spread["fnmr"], fnmr, count),
        }
        for size in sorted(set(aims.sizes)):
            fpir = if_independent(fmr, size)
            low, high = (if_independent(end, size) for end in intervals["fmr"])
            more = intervals | {"fpir": (low, high)}
            points.append(OperatingPoint("fmr", rate, threshold, size, fmr, fnmr, fpir, None, more))
    return TrackletCalibration(count, len(same), len(different), points, unreachable)


def _counted(
    weights: NDArray[np.float64], pairs: NDArray[np.int64], people: int
) -> NDArray[np.float64]:
    """Sum over pairs of the product of what both count, for each resampling, [B]."""
    ones = np.ones(len(pairs))
    table = sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(people, people)).tocsr()
    total: NDArray[np.float64] = ((table.T @ weights.T).T * weights).sum(axis=1)
    return total
