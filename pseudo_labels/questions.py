"""Which pairs of tracklets to ask a person about first.

What an answer can change is which clusters of the two modalities belong together, so an answer
speaks for the clusters of its two tracklets, and each is asked about by the tracklet nearest its
mean. How likely two clusters are one person follows from how far their similarity stands out among
those of either cluster that are still open: candidates compete, and each that is ruled out leaves
its share to the others. A question is worth the variance of its answer, p (1 − p), times the pairs
of tracklets that it settles; what is foreseen, of either kind, is worth next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..clustering.dbscan import dbscan
from ..clustering.eps_scan import suggest_eps
from ..clustering.jaccard import jaccard_distance
from .identities import Identities
from .judgements import Judgement

K1, K2 = 20, 6  # neighbours of the Jaccard distance; tracklets of a person are few in an index
MAD_TO_SIGMA = 1.4826  # standard deviation of a Gaussian by its median absolute deviation
HIGHEST = 50.0  # deviations; more says nothing more, and would overflow
SECOND = 1e-4  # weight of a cluster that has a partner: the others are asked about first
LISTED = 1000


@dataclass(frozen=True)
class Question:
    """A pair that a person may judge.

    Attributes:
        visible, infrared: keys of the two tracklets.
        score: inner product of their vectors.
        worth: variance of the answer times pairs of tracklets that it settles.
    """

    visible: str
    infrared: str
    score: float
    worth: float


class CandidatePairs:
    """Clusters of the two modalities, ready to be asked about.

    Args:
        visible: keys of N tracklets.
        infrared: keys of M tracklets.
        visible_vectors: [N, D], of unit length.
        infrared_vectors: [M, D], of unit length.
    """

    def __init__(
        self,
        visible: Sequence[str],
        infrared: Sequence[str],
        visible_vectors: NDArray[np.floating],
        infrared_vectors: NDArray[np.floating],
    ) -> None:
        self.visible, self.infrared = list(visible), list(infrared)
        self._sides = (
            _Clusters(self.visible, visible_vectors),
            _Clusters(self.infrared, infrared_vectors),
        )
        self._weights = np.exp(_standing_out(self._sides[0].means @ self._sides[1].means.T))

    def questions(self, judgements: Sequence[Judgement]) -> list[Question]:
        """What is still open, the most informative first; ties by key; at most ``LISTED``.

        Args:
            judgements: those that stand; what follows from them is not asked.
        """
        if not self._weights.size:
            return []
        speaker = self._sides[0].speaker | self._sides[1].speaker
        said = [
            replace(one, first=first, second=second)
            for one in judgements
            if (first := speaker.get(one.first, one.first))
            != (second := speaker.get(one.second, one.second))
        ]
        known = Identities(said)
        numbers: dict[int | str, int] = {}
        rows, columns = (
            np.array([numbers.setdefault(known.name(key), len(numbers)) for key in side.asked])
            for side in self._sides
        )
        settled = rows[:, None] == columns
        for one in said:
            if one.answer != "same":
                pair = [numbers.get(known.name(key), -1) for key in one.pair]
                for first, second in (pair, pair[::-1]):
                    settled[np.ix_(rows == first, columns == second)] = True
        chance = self._chances(settled, rows, columns)
        sizes = np.bincount(rows, self._sides[0].sizes, len(numbers))
        sizes += np.bincount(columns, self._sides[1].sizes, len(numbers))
        worth = chance * (1 - chance) * sizes[rows][:, None] * sizes[columns]
        worth[settled] = -1
        asked = _first_of_each(worth, rows[:, None] * len(numbers) + columns)
        return [self._question(int(i), int(j), worth) for i, j in zip(*asked)]

    def _chances(
        self, settled: NDArray[np.bool_], rows: NDArray[np.int64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """[V, I], the geometric mean of a pair's shares among what is open to either cluster.

        One of the candidates is nobody, as similar as strangers are: weight 1.
        """
        weights = np.where(settled, 0, self._weights)
        weights[np.isin(rows, columns)] *= SECOND
        weights[:, np.isin(columns, rows)] *= SECOND
        shares = weights / (1 + weights.sum(1, keepdims=True))
        shares *= weights / (1 + weights.sum(0))
        return np.sqrt(shares)

    def _question(self, row: int, column: int, worth: NDArray[np.float64]) -> Question:
        left, right = self._sides
        return Question(
            left.asked[row],
            right.asked[column],
            float(left.vectors[row] @ right.vectors[column]),
            float(worth[row, column]),
        )


class _Clusters:
    """Clusters of one modality; a tracklet in none is one of its own.

    Attributes:
        asked: [C] key of the tracklet of each that is asked about, sorted.
        vectors: [C, D] of those tracklets.
        means: [C, D] of unit length.
        sizes: [C] tracklets.
        speaker: for each tracklet the one that is asked about.
    """

    def __init__(self, keys: list[str], vectors: NDArray[np.floating]) -> None:
        rows = vectors.astype(np.float64)
        labels = _labels(rows)
        count = int(labels.max(initial=-1)) + 1
        means = np.zeros((count, rows.shape[1]))
        np.add.at(means, labels, rows)
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        typical = np.einsum("nd,nd->n", rows, means[labels])
        best = np.full(count, -1)
        for row in np.lexsort((keys, -typical)):
            if best[labels[row]] < 0:
                best[labels[row]] = row
        order = sorted(range(count), key=lambda cluster: keys[best[cluster]])
        self.asked = [keys[best[cluster]] for cluster in order]
        self.vectors, self.means = rows[best[order]], means[order]
        self.sizes = np.bincount(labels, minlength=count)[order]
        self.speaker = {key: keys[best[label]] for key, label in zip(keys, labels)}


def _labels(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """[N] clusters by density, at the radius that finds most of them; all alone where none does."""
    alone = np.arange(len(rows))
    if len(rows) < 2:
        return alone
    distance = jaccard_distance(rows, K1, K2)
    radius = suggest_eps(distance)
    if radius is None:
        return alone
    labels = dbscan(distance, radius)
    noise = labels < 0
    labels[noise] = labels.max(initial=-1) + 1 + np.arange(noise.sum())
    return labels


def _standing_out(similar: NDArray[np.float64]) -> NDArray[np.float64]:
    """Similarities in deviations, without what a cluster has in common with all of the others."""
    if not similar.size:
        return similar
    left = similar - np.median(similar, 1, keepdims=True)
    left -= np.median(left, 0)
    deviation = MAD_TO_SIGMA * float(np.median(np.abs(left - np.median(left))))
    return np.clip(left / max(deviation, 1e-6), -HIGHEST, HIGHEST)


def _first_of_each(
    worth: NDArray[np.float64], pairs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the ``LISTED`` greatest; of those of one pair of identities the first."""
    flat = worth.ravel()
    least = np.partition(flat, -LISTED)[-LISTED] if flat.size > LISTED else 0.0
    open_pairs = np.flatnonzero(flat >= max(least, 0.0))
    order = open_pairs[np.argsort(-flat[open_pairs], kind="stable")][:LISTED]
    kept = np.sort(np.unique(pairs.ravel()[order], return_index=True)[1])
    rows, columns = np.unravel_index(order[kept], worth.shape)
    return rows, columns
