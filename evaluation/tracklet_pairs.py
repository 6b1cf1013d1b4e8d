"""Errors of pairs where nobody knows who is who: an approximation from what time rules out.

Tracklets of one camera at overlapping times show different people, and so do tracklets of two
cameras at times between which nobody comes from the one to the other. Two halves of one tracklet
show one person; they do not say how that person looks in another camera or modality, so the missed
share is far below the true one. A threshold that few pairs of different people pass is only as good
as the likeness of people at one time to that of people at any.
"""

from __future__ import annotations

from collections.abc import Mapping
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
CURVE_END = 0.1  # FMR up to which the tail of the non-mated scores is written down
CURVE_POINTS = 40


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
        first, second = _each_of(np.arange(len(here)) + 1, until)
        found.append(np.stack([here[first], here[second]], axis=1))
    return np.concatenate(found)


def pairs_too_fast(
    cameras: ArrayLike, starts: ArrayLike, ends: ArrayLike, least: Mapping[tuple[int, int], float]
) -> NDArray[np.int64]:
    """Pairs of tracklets of two cameras that one person could not have walked between.

    Args:
        cameras: [N] integers.
        starts, ends: [N] seconds.
        least: seconds from leaving one camera to coming to another, by their numbers in the
            direction of walking; of others nothing is known. Somebody may be in front of both
            at once unless both directions take time.

    Returns:
        [M, 2], the earlier one first, each pair once.
    """
    camera, start, end = (np.asarray(values) for values in (cameras, starts, ends))
    found = [np.empty((0, 2), np.int64)]
    for (a, b), seconds in least.items():
        if a == b or seconds <= 0:
            continue
        first, second = (np.flatnonzero(camera == one) for one in (a, b))
        second = second[np.argsort(start[second], kind="stable")]
        coming = start[second]
        # Of two that begin together, the camera of the lower number counts as the earlier.
        low = np.searchsorted(coming, start[first], side="left" if a < b else "right")
        if least.get((b, a), 0) <= 0:
            low = np.maximum(low, np.searchsorted(coming, end[first], side="left"))
        high = np.searchsorted(coming, end[first] + seconds, side="left")
        row, place = _each_of(low, high)
        found.append(np.stack([first[row], second[place]], axis=1))
    return np.concatenate(found)


def _each_of(
    low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every row with every place from its ``low`` to before its ``high``."""
    many = np.maximum(high - low, 0)
    row = np.repeat(np.arange(len(low)), many)
    begins = np.cumsum(many) - many
    return row, np.arange(len(row)) + (low - begins)[row]


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
        nonmated: pairs of different people.
        points: thresholds; FPIR by the binomial model, FNIR unknown.
        curve: ``threshold``, ascending, and the ``fmr`` of each: the tail of the non-mated pairs.
        unreachable: rates that the data is too small to show.
    """

    tracklets: int
    mated: int
    nonmated: int
    points: list[OperatingPoint]
    curve: dict[str, list[float]]
    unreachable: list[str]


def calibrate_tracklets(
    features: Tensor,
    halves: tuple[Tensor, Tensor] | None,
    pairs: NDArray[np.int64],
    aims: Aims,
    *,
    resamplings: int = 500,
    seed: int = 0,
) -> TrackletCalibration:
    """Thresholds from tracklets without identities.

    Args:
        features: [N, D], unit rows, of whole tracklets.
        halves: the same of their first and second halves; None where they are no pairs of the kind
            that is calibrated, and no FNMR is given.
        pairs: [M, 2], of different people, see :func:`overlapping_pairs` and
            :func:`pairs_too_fast`.
        aims: ``fmr`` and ``sizes`` are read.
        resamplings: of the tracklets; people who were seen several times are not known, so the
            intervals are narrower than they should be.
        seed: of the resamplings.
    """
    count = len(features)
    own = np.repeat(np.arange(count)[:, None], 2, axis=1)
    same = None if halves is None else pair_scores(*halves, own)
    different = pair_scores(features, features, pairs)
    largest = LargestScores(int(max((CURVE_END, *aims.fmr)) * len(different)) + 2)
    largest.add(different)
    tail = largest.sorted()
    weights = resampled_people(count, resamplings, seed)
    every = _counted(weights, pairs, count)
    points, unreachable = [], []
    for rate in aims.fmr:
        threshold = lowest_threshold(tail, len(different), rate)
        if threshold is None:
            unreachable.append(f"FMR {rate:g}: {len(different):,} pairs of different people")
            continue
        wrong = different >= np.float32(threshold)
        fmr, fnmr = float(wrong.mean()), None
        with np.errstate(invalid="ignore", divide="ignore"):
            again = _counted(weights, pairs[wrong], count) / every
        intervals = {"fmr": interval(again, fmr, len(np.unique(pairs)))}
        if same is not None:
            lost = same < np.float32(threshold)
            fnmr = float(lost.mean())
            intervals["fnmr"] = interval(weights @ lost / weights.sum(axis=1), fnmr, count)
        for size in sorted(set(aims.sizes)):
            fpir = if_independent(fmr, size)
            low, high = (if_independent(end, size) for end in intervals["fmr"])
            more = intervals | {"fpir": (low, high)}
            points.append(OperatingPoint("fmr", rate, threshold, size, fmr, fnmr, fpir, None, more))
    curve = _tail_curve(tail, len(different))
    mated = 0 if same is None else len(same)
    return TrackletCalibration(count, mated, len(different), points, curve, unreachable)


def _tail_curve(tail: NDArray[np.float32], total: int) -> dict[str, list[float]]:
    """Thresholds along the largest scores, ascending, and the share of all that reach each."""
    places = np.geomspace(1, max(1, len(tail)), CURVE_POINTS).round().astype(int) - 1
    along = np.unique(tail[places]) if len(tail) else tail
    reached = np.searchsorted(-tail, -along, side="right")  # the tail descends
    return {"threshold": along.tolist(), "fmr": (reached / max(1, total)).tolist()}


def _counted(
    weights: NDArray[np.float64], pairs: NDArray[np.int64], people: int
) -> NDArray[np.float64]:
    """Sum over pairs of the product of what both count, for each resampling, [B]."""
    ones = np.ones(len(pairs))
    table = sparse.coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(people, people)).tocsr()
    total: NDArray[np.float64] = ((table.T @ weights.T).T * weights).sum(axis=1)
    return total
