"""Which pairs of tracklets to ask a person about first.

An answer about two tracklets settles every pair between their two identities. A question is worth
the entropy of its answer times the number of those pairs, and of two identities only the pair worth
most is asked about. The chance of *same* is taken as logistic in the score: one half at the
threshold, or where none was calibrated at the median score of mutual nearest neighbours, with the
spread of the nearest scores as its scale. Pairs who are each other's nearest neighbour go first:
of the others most are different people, and answers that are all alike teach little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .identities import Identities
from .judgements import Judgement

NEAREST = 5
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Question:
    """A pair that a person may judge.

    Attributes:
        visible, infrared: keys of the two tracklets.
        score: inner product of their vectors.
        mutual: whether each is the other's nearest neighbour of the other modality.
        worth: bits of the answer times pairs of tracklets that it settles.
    """

    visible: str
    infrared: str
    score: float
    mutual: bool
    worth: float


class CandidatePairs:
    """The nearest pairs across modalities, ready to be asked about.

    Args:
        visible: keys of N tracklets.
        infrared: keys of M tracklets.
        visible_vectors: [N, D], of unit length.
        infrared_vectors: [M, D], of unit length.
        threshold: score from which two tracklets count as one person; None: not known.
    """

    def __init__(
        self,
        visible: Sequence[str],
        infrared: Sequence[str],
        visible_vectors: NDArray[np.floating],
        infrared_vectors: NDArray[np.floating],
        threshold: float | None = None,
    ) -> None:
        self.visible, self.infrared = list(visible), list(infrared)
        there, there_scores = _nearest(visible_vectors, infrared_vectors)
        back, back_scores = _nearest(infrared_vectors, visible_vectors)
        scores: dict[tuple[int, int], float] = {}
        for row, columns in enumerate(there):
            scores.update(((row, int(c)), float(s)) for c, s in zip(columns, there_scores[row]))
        for column, rows in enumerate(back):
            scores.update(((int(r), column), float(s)) for r, s in zip(rows, back_scores[column]))
        self._scores = scores
        self._mutual = {
            (row, int(columns[0]))
            for row, columns in enumerate(there)
            if len(columns) and back[columns[0]][0] == row
        }
        mutual_scores = [scores[pair] for pair in self._mutual]
        middle = float(np.median(mutual_scores)) if mutual_scores else 0.0
        self.middle = middle if threshold is None else threshold
        self.spread = max(float(np.std(list(scores.values()))) if scores else 0.0, 1e-6)

    def questions(self, judgements: Sequence[Judgement]) -> list[Question]:
        """What is still open, the most informative first; ties by key.

        Args:
            judgements: those that stand; what follows from them is not asked.
        """
        known = Identities(judgements)
        best: dict[frozenset[int | str], Question] = {}
        for (row, column), score in self._scores.items():
            first, second = self.visible[row], self.infrared[column]
            if known.settled(first, second):
                continue
            settles = known.size(first) * known.size(second)
            worth = self._entropy(score) * settles
            question = Question(first, second, score, (row, column) in self._mutual, worth)
            identities = frozenset((known.name(first), known.name(second)))
            if identities not in best or _order(question) < _order(best[identities]):
                best[identities] = question
        return sorted(best.values(), key=_order)

    def _entropy(self, score: float) -> float:
        """Bits of an answer about a pair of this score."""
        distance = min(abs(score - self.middle) / self.spread, 500.0)
        rare = 1 / (1 + np.exp(distance))
        return float(-rare * np.log2(rare) - (1 - rare) * np.log1p(-rare) / np.log(2))


def _order(question: Question) -> tuple[bool, float, str, str]:
    return (not question.mutual, -question.worth, question.visible, question.infrared)


def _nearest(
    rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest columns of each row, nearest first, and their scores."""
    count = min(NEAREST, len(columns))
    found = np.empty((len(rows), count), np.int64)
    scores = np.empty((len(rows), count), np.float32)
    across = columns.astype(np.float32).T
    for start in range(0, len(rows) if count else 0, ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE].astype(np.float32) @ across
        order = np.argsort(-part, axis=1, kind="stable")[:, :count]
        found[start : start + len(part)] = order
        scores[start : start + len(part)] = np.take_along_axis(part, order, axis=1)
    return found, scores
