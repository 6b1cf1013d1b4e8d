"""False matches and false non-matches of pairs: FMR and FNMR of ISO/IEC 19795-1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .comparisons import Comparisons, Scores

Weights = NDArray[np.float64]


class LargestScores:
    """Keeps the largest of many scores, exactly, and forgets the others.

    Args:
        count: how many to keep.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._parts: list[Scores] = []
        self._held = 0
        self._floor = -np.inf

    def add(self, scores: Scores) -> None:
        """Takes more scores.

        Args:
            scores: [N] float32.
        """
        taken = scores[scores > self._floor] if np.isfinite(self._floor) else scores
        self._parts.append(taken)
        self._held += len(taken)
        if self._held > 2 * self.count + 65536:
            self._select()

    def _select(self) -> None:
        every = np.concatenate([np.empty(0, np.float32), *self._parts])
        if len(every) > self.count:
            every = np.partition(every, len(every) - self.count)[len(every) - self.count :]
            # Equal scores below the kept ones may be dropped: they change no kept value.
            self._floor = float(every.min(initial=np.inf))
        self._parts, self._held = [every], len(every)

    def sorted(self) -> Scores:
        """The kept scores, the largest first."""
        self._select()
        found: Scores = np.sort(self._parts[0])[::-1]
        return found


def lowest_threshold(largest: Scores, total: int, rate: float) -> float | None:
    """The lowest threshold whose false-match rate is at most ``rate``.

    Args:
        largest: the largest non-mated scores, descending; more than ``rate * total`` of them, or
            all.
        total: non-mated comparisons.
        rate: 0 to 1.

    Returns:
        None where a single false match would be more than ``rate``: the data cannot show it.
    """
    allowed = int(rate * total * (1 + 1e-12))
    if allowed < 1:
        return None
    if allowed >= total:
        return float("-inf")
    # At most `allowed` scores are above the one after them.
    return float(np.nextafter(largest[allowed], np.float32(np.inf)))


@dataclass(frozen=True)
class MatedScores:
    """Scores of all mated comparisons.

    Attributes:
        scores: [M] float32.
        person: [M] int64, place in ``Comparisons.people``.
    """

    scores: Scores
    person: NDArray[np.int64]

    def missed(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """FNMR: share of the mated comparisons below each threshold.

        Args:
            thresholds: [T].
        """
        below = np.searchsorted(np.sort(self.scores), np.asarray(thresholds, np.float32))
        return below / max(1, len(self.scores))

    def missed_again(self, threshold: float, weights: Weights) -> NDArray[np.float64]:
        """FNMR where people count several times or never, [B].

        Args:
            threshold: of the scores.
            weights: [B, P], how often each person counts.
        """
        people = weights.shape[1]
        lost = np.bincount(self.person, self.scores < np.float32(threshold), people)
        every = np.bincount(self.person, minlength=people).astype(np.float64)
        with np.errstate(invalid="ignore"):
            return (weights @ lost) / (weights @ every)


@dataclass(frozen=True)
class FalseMatches:
    """How often two people were taken for one.

    Attributes:
        total: non-mated comparisons.
        above: for each threshold asked for, how many of them are at or above it.
        by_people: for each threshold of interest, counts [P, P] by the people of query and gallery.
    """

    total: int
    above: NDArray[np.int64]
    by_people: dict[float, sparse.csr_array]

    @property
    def rates(self) -> NDArray[np.float64]:
        """FMR at each threshold."""
        return self.above / max(1, self.total)


def false_matches(
    comparisons: Comparisons, thresholds: Sequence[float], of_interest: Iterable[float]
) -> FalseMatches:
    """Counts false matches, exactly, in one pass over all comparisons.

    Args:
        comparisons: of two sides.
        thresholds: where to count, in any order.
        of_interest: where to count for each two people, too; a resampling of people needs it.
    """
    asked = np.asarray(thresholds, np.float32)
    order = np.argsort(asked)
    bins = np.zeros(len(asked) + 1, np.int64)
    chosen = sorted(set(of_interest))
    people = len(comparisons.people)
    counts = {t: sparse.csr_array((people, people)) for t in chosen}
    total = 0
    for block in comparisons.blocks():
        scores = block.scores[block.nonmated]
        total += len(scores)
        passed = np.searchsorted(asked[order], scores, side="right")
        bins += np.bincount(passed, minlength=len(bins))
        if not chosen:
            continue
        hit = block.nonmated & (block.scores >= np.float32(chosen[0]))
        rows, columns = np.nonzero(hit)
        values = block.scores[rows, columns]
        asking = comparisons.query_person[block.queries[rows]]
        ranked = comparisons.gallery_person[columns]
        for threshold in chosen:
            of = values >= np.float32(threshold)
            ones = np.ones(int(of.sum()))
            counts[threshold] += sparse.coo_array(
                (ones, (asking[of], ranked[of])), shape=(people, people)
            ).tocsr()
    above = np.empty(len(asked), np.int64)
    above[order] = total - np.cumsum(bins)[:-1]
    return FalseMatches(total, above, counts)


def false_match_rate_again(
    counts: sparse.csr_array, comparisons: Comparisons, weights: Weights
) -> NDArray[np.float64]:
    """FMR where people count several times or never, [B].

    A person who is drawn twice is not compared with himself.

    Args:
        counts: false matches by people, as ``FalseMatches.by_people`` holds them.
        comparisons: what they were counted in.
        weights: [B, P], how often each person counts.
    """
    found = ((counts.T @ weights.T).T * weights).sum(axis=1)
    with np.errstate(invalid="ignore"):
        rates: NDArray[np.float64] = found / comparisons.nonmated_total(weights)
    return rates
