"""Similarities of same and different pairs, and the thresholds that few different pairs pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..evaluation.metrics import ignores
from .ranked_lists import DirectionScores

RATES = (0.001, 0.01, 0.1)
MOST_PAIRS = 20_000_000


@dataclass(frozen=True)
class Threshold:
    """One operating point.

    Attributes:
        wanted: false-match rate that was asked for.
        threshold: pairs whose similarity is *above* it are called the same person.
        false_matches: share of the different pairs above it, at most ``wanted``.
        found: share of the same pairs above it.
    """

    wanted: float
    threshold: float
    false_matches: float
    found: float


def false_match_thresholds(
    same: ArrayLike, different: ArrayLike, rates: Sequence[float] = RATES
) -> list[Threshold]:
    """The lowest threshold that keeps each false-match rate.

    Args:
        same, different: similarities of pairs of one person, and of two people.
        rates: false-match rates, 0 to 1.

    Returns:
        One entry for each rate that the number of pairs can show: with fewer than 1 / rate
        different pairs a rate is left out.
    """
    right = np.sort(np.asarray(same, np.float64))
    wrong = np.sort(np.asarray(different, np.float64))
    points = []
    for rate in rates:
        allowed = int(rate * len(wrong) * (1 + 1e-12))
        if not len(right) or allowed < 1:
            continue
        # At most `allowed` values lie strictly above the one before them.
        threshold = float(wrong[len(wrong) - allowed - 1]) if allowed < len(wrong) else -np.inf
        points.append(
            Threshold(rate, threshold, _above(wrong, threshold), _above(right, threshold))
        )
    return points


def pair_similarities(
    direction: DirectionScores,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Similarities of the same and of the different pairs of query and gallery.

    Pairs that the camera rule leaves out are not counted. Where there are more than twenty million
    pairs, an evenly spread part of the queries is taken.
    """
    protocol = direction.protocol
    count = max(1, min(len(protocol.query), MOST_PAIRS // max(1, len(protocol.gallery))))
    picked = np.linspace(0, len(protocol.query) - 1, count).round().astype(np.int64)
    gallery_ids = np.array([track.identity for track in protocol.gallery])
    gallery_cameras = np.array([track.camera for track in protocol.gallery])
    cameras = np.unique(gallery_cameras)
    same, different = [], []
    for start in range(0, len(picked), 256):
        rows = picked[start : start + 256]
        block = (direction.query[torch.from_numpy(rows)] @ direction.gallery.T).numpy()
        for row, values in zip(rows, block):
            query = protocol.query[row]
            mine = gallery_ids == query.identity
            kept = []
            for own in (True, False):
                out = [
                    camera
                    for camera in cameras.tolist()
                    if ignores(protocol.rule, query.camera, camera, same_identity=own)
                ]
                kept.append((mine == own) & ~np.isin(gallery_cameras, out))
            same.append(values[kept[0]])
            different.append(values[kept[1]])
    return np.concatenate(same), np.concatenate(different)


def _above(values: NDArray[np.float64], threshold: float) -> float:
    return float(len(values) - np.searchsorted(values, threshold, side="right")) / len(values)
