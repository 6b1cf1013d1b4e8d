"""Open-set identification: FPIR(N, T) and FNIR(N, R, T) of ISO/IEC 19795-1.

A probe is searched in a gallery of N enrolled people, each with all his tracks; a person's score is
the largest of his tracks. FPIR is the share of probes of people who are *not* enrolled whose
largest score reaches T. FNIR is the share of probes of enrolled people whose own score stays below
T, or is not among the R largest.

Which people are enrolled is not drawn: for each probe the rates are means over *all* galleries of N
of the people at hand, which is a hypergeometric probability. So every person is left out of as many
galleries as there are, and no luck of a draw is in the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from .comparisons import Comparisons, Scores

Rates = NDArray[np.float64]
ROWS = 1 << 22  # entries of a block of probes times resamplings


@dataclass(frozen=True)
class PersonScores:
    """Largest score of each probe with each enrolled person.

    Attributes:
        others: [Q, E] float32; −inf for the probe's own person, and where nothing is compared.
        own: [Q] float32, score of the probe's own person; −inf without a mated comparison.
        ahead: [Q] int64, other people whose score is at least ``own``.
        person: [Q] int64, place of the probe's person in ``people``.
        enrolled: [E] int64, place of each enrolled person in ``people``.
        people: their number P.
    """

    others: Scores
    own: Scores
    ahead: NDArray[np.int64]
    person: NDArray[np.int64]
    enrolled: NDArray[np.int64]
    people: int

    @cached_property
    def candidates(self) -> NDArray[np.int64]:
        """Number of other people that each probe can be compared with, [Q]."""
        return np.isfinite(self.others).sum(axis=1)

    @cached_property
    def mated(self) -> NDArray[np.bool_]:
        """Which probes have a mated comparison, [Q]."""
        return np.isfinite(self.own)

    @cached_property
    def largest_gallery(self) -> int:
        """The largest gallery that every probe can be searched in without its own person."""
        return int(self.candidates.min(initial=len(self.enrolled)))


def person_scores(comparisons: Comparisons) -> PersonScores:
    """Scores by person, block by block.

    Args:
        comparisons: of two sides.

    Returns:
        One number for each probe and person, 40 MB for 10,000 probes and 1,000 people.
    """
    others, own, ahead = [], [], []
    for block in comparisons.blocks():
        low = np.float32(-np.inf)
        apart = np.where(block.nonmated, block.scores, low)
        others.append(np.maximum.reduceat(apart, comparisons.starts, axis=1))
        own.append(np.where(block.mated, block.scores, low).max(axis=1))
        ahead.append((others[-1] >= own[-1][:, None]).sum(axis=1))
    return PersonScores(
        np.concatenate(others),
        np.concatenate(own),
        np.concatenate(ahead).astype(np.int64),
        comparisons.query_person,
        comparisons.enrolled,
        len(comparisons.people),
    )


class GalleryDraws:
    """Chances in a draw of some people out of those at hand, without replacement.

    Args:
        most: the largest number of people that occurs.
    """

    def __init__(self, most: int) -> None:
        self._log = gammaln(np.arange(most + 2, dtype=np.float64) + 1)

    def _choices(self, of: NDArray[np.int64], drawn: NDArray[np.int64]) -> Rates:
        """Logarithm of the binomial coefficient; −inf where it is 0."""
        possible = (drawn >= 0) & (drawn <= of)
        kept = np.clip(drawn, 0, of)
        log = self._log[of] - self._log[kept] - self._log[of - kept]
        return np.where(possible, log, -np.inf)

    def fewer(
        self, people: NDArray[np.int64], special: NDArray[np.int64], drawn: int, than: int
    ) -> Rates:
        """Chance that fewer than some of the drawn people are special.

        Args:
            people: how many there are.
            special: how many of them are special.
            drawn: how many are drawn; all, where there are fewer.
            than: how many it takes.

        Returns:
            In the shape of ``people``.
        """
        taken = np.minimum(drawn, people)
        every = self._choices(people, taken)
        chance = np.zeros(np.shape(people))
        for hits in range(than):
            hit = np.full_like(taken, hits)
            found = self._choices(special, hit) + self._choices(people - special, taken - hit)
            chance += np.exp(found - every)
        return np.minimum(chance, 1.0)


def false_positives(scores: PersonScores, size: int, threshold: float) -> float:
    """FPIR(N, T): mean over the probes and over all galleries without the probe's person.

    Args:
        scores: by person.
        size: people in the gallery, N.
        threshold: T.
    """
    reached = (scores.others >= np.float32(threshold)).sum(axis=1)
    draws = GalleryDraws(len(scores.enrolled))
    return float(1 - draws.fewer(scores.candidates, reached, size, 1).mean())


def false_negatives(scores: PersonScores, size: int, rank: int, threshold: float) -> float:
    """FNIR(N, R, T): mean over the mated probes and all galleries with the probe's person.

    Args:
        scores: by person.
        size: people in the gallery, N.
        rank: how many candidates are looked at, R.
        threshold: T.
    """
    mated = scores.mated
    draws = GalleryDraws(len(scores.enrolled))
    found = draws.fewer(scores.candidates[mated], scores.ahead[mated], size - 1, rank)
    found[scores.own[mated] < np.float32(threshold)] = 0
    return float(1 - found.mean()) if len(found) else float("nan")


def lowest_identification_threshold(scores: PersonScores, size: int, rate: float) -> float | None:
    """The lowest threshold whose FPIR(N, T) is at most ``rate``.

    Args:
        scores: by person.
        size: people in the gallery, N.
        rate: 0 to 1.

    Returns:
        None where one false positive in one gallery would be more: the data cannot show it.
    """
    candidates = scores.candidates
    total = int(candidates.sum())
    if rate * len(scores.own) < 1 or not total:
        return None
    # FPIR is at least the share of persons' scores at T, so no more than these can lie above it.
    count = min(total, int(rate * len(scores.own) * candidates.max()) + 2)
    flat = scores.others.reshape(-1)
    largest = np.partition(flat, flat.size - count)[flat.size - count :]
    steps = np.unique(largest[np.isfinite(largest)])
    # FPIR falls along `steps`, each taken as a threshold just above it.
    above = np.nextafter(steps, np.float32(np.inf))
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        if false_positives(scores, size, float(above[middle])) <= rate:
            high = middle
        else:
            low = middle + 1
    return float(above[low])


@dataclass(frozen=True)
class Resampled:
    """Rates where people count several times or never.

    Attributes:
        fpir: [B].
        fnir: [B].
    """

    fpir: Rates
    fnir: Rates


def rates_again(
    scores: PersonScores, size: int, rank: int, threshold: float, weights: Rates
) -> Resampled:
    """FPIR and FNIR of resamplings of the people, probes and galleries alike.

    Args:
        scores: by person.
        size: people in the gallery, N.
        rank: candidates that are looked at, R.
        threshold: T.
        weights: [B, P], how often each person counts; whole numbers.
    """
    copies = weights[:, scores.enrolled].T.astype(np.float32)  # [E, B]
    times = weights[:, scores.person].T  # [Q, B]
    draws = GalleryDraws(int(copies.sum(axis=0).max(initial=0)) + 1)
    repeats = weights.shape[0]
    wrong, asked, missed, sought = (np.zeros(repeats) for _ in range(4))
    step = max(1, ROWS // max(repeats, len(scores.enrolled)))
    for start in range(0, len(scores.own), step):
        rows = slice(start, start + step)
        others, own = scores.others[rows], scores.own[rows]

        def counted(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
            return (chosen.astype(np.float32) @ copies).round().astype(np.int64)

        people = counted(np.isfinite(others))
        reached = counted(others >= np.float32(threshold))
        wrong += (times[rows] * (1 - draws.fewer(people, reached, size, 1))).sum(axis=0)
        asked += times[rows].sum(axis=0)
        mated = np.isfinite(own)
        ahead = counted((others >= own[:, None]) & np.isfinite(others))
        found = draws.fewer(people[mated], ahead[mated], size - 1, rank)
        found[own[mated] < np.float32(threshold)] = 0
        missed += (times[rows][mated] * (1 - found)).sum(axis=0)
        sought += times[rows][mated].sum(axis=0)
    with np.errstate(invalid="ignore"):
        return Resampled(wrong / asked, missed / sought)
