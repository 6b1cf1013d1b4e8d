"""Thresholds of a network's scores, and the errors at each with intervals, for one direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..random_streams import Draw, numpy_generator
from .comparisons import Comparisons
from .identification_rates import (
    PersonScores,
    false_negatives,
    false_positives,
    lowest_identification_threshold,
    person_scores,
    rates_again,
)
from .pair_rates import (
    FalseMatches,
    LargestScores,
    MatedScores,
    false_match_rate_again,
    false_matches,
    lowest_threshold,
)

CONFIDENCE = 0.95
# With no error among n independent trials, the rate lies below 3 / n with 95 % confidence.
RULE_OF_THREE = 3.0
CURVE_POINTS = 60
SAVED_DIGITS = 6

Interval = tuple[float, float]


@dataclass(frozen=True)
class Aims:
    """Which error rates thresholds are wanted for.

    Attributes:
        fmr: false-match rates of pairs.
        fpir: false-positive identification rates, one threshold for each gallery size.
        sizes: people in the gallery, N.
        rank: candidates of a search that are looked at, R.
    """

    fmr: Sequence[float] = (0.001, 0.01)
    fpir: Sequence[float] = (0.01, 0.1)
    sizes: Sequence[int] = (10,)
    rank: int = 1


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and all errors there; a rate that nothing was measured for is None.

    Attributes:
        aim: the rate that chose the threshold, ``fmr`` or ``fpir``.
        aimed: its largest value.
        threshold: scores at or above it are matches.
        gallery_size: people in the gallery, N.
        fmr, fnmr, fpir, fnir: the rates.
        intervals: low and high end of each, by name.
    """

    aim: str
    aimed: float
    threshold: float
    gallery_size: int
    fmr: float | None
    fnmr: float | None
    fpir: float | None
    fnir: float | None
    intervals: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """What the rates of a direction rest on.

    Attributes:
        people: seen on either side.
        mated_people: seen on both.
        probes: query tracks.
        gallery_tracks: gallery tracks.
        mated: comparisons of one person.
        nonmated: comparisons of two people.
    """

    people: int
    mated_people: int
    probes: int
    gallery_tracks: int
    mated: int
    nonmated: int


@dataclass(frozen=True)
class Calibration:
    """Errors of one direction.

    Attributes:
        counts: what they rest on.
        points: thresholds and errors.
        curve: threshold, ``fmr`` and ``fnmr``, each a list, and lists of ``fpir`` and ``fnir`` by
            gallery size: the detection-error trade-off.
        unreachable: rates that the data is too small to show, with the reason.
    """

    counts: Counts
    points: list[OperatingPoint]
    curve: dict[str, Any]
    unreachable: list[str]

    def record(self) -> dict[str, Any]:
        """As JSON holds it; thresholds to the last digit, rates to six."""
        points = [asdict(point) for point in self.points]
        for point in points:
            for name in ("fmr", "fnmr", "fpir", "fnir"):
                point[name] = _short(point[name])
            point["intervals"] = {n: list(map(_short, i)) for n, i in point["intervals"].items()}
        return {
            "counts": asdict(self.counts),
            "thresholds": points,
            "curve": self.curve,
            "unreachable": self.unreachable,
        }


def _short(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.{SAVED_DIGITS}g}")


def collect_pairs(comparisons: Comparisons, rate: float) -> tuple[MatedScores, LargestScores, int]:
    """The mated scores, the largest non-mated ones, and how many non-mated there are.

    Args:
        comparisons: of two sides.
        rate: so large a share of the non-mated scores is kept.
    """
    people = np.ones((1, len(comparisons.people)))
    total = int(comparisons.nonmated_total(people)[0])
    largest = LargestScores(int(rate * total) + 2)
    scores, person = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
    for block in comparisons.blocks():
        largest.add(block.scores[block.nonmated])
        rows, columns = np.nonzero(block.mated)
        scores.append(block.scores[rows, columns])
        person.append(comparisons.query_person[block.queries[rows]])
    return MatedScores(np.concatenate(scores), np.concatenate(person)), largest, total


def calibrate(
    comparisons: Comparisons, aims: Aims, *, resamplings: int = 500, seed: int = 0
) -> Calibration:
    """Finds thresholds and measures the errors at each.

    Intervals hold 95 % of resamplings of the *people*, with all their tracks and comparisons:
    pairs of one person depend on each other, and resampling them would make intervals too narrow.

    Args:
        comparisons: of two sides, with at least two people and one mated comparison.
        aims: what thresholds are wanted for.
        resamplings: of the people.
        seed: of the resamplings.

    Returns:
        Points by gallery size, then rate. Gallery sizes beyond the people at hand are left out.
    """
    mated, largest, total = collect_pairs(comparisons, max(aims.fmr, default=0.0))
    scores = person_scores(comparisons)
    tail = largest.sorted()
    counts = _counts(comparisons, scores, mated, total)
    sizes = [size for size in sorted(set(aims.sizes)) if size <= scores.largest_gallery]
    wanted: list[tuple[str, float, int, float]] = []
    unreachable = []
    for size in sizes:
        for rate in aims.fmr:
            found = lowest_threshold(tail, total, rate)
            if found is not None:
                wanted.append(("fmr", rate, size, found))
            elif size == sizes[0]:
                unreachable.append(f"FMR {rate:g}: {total:,} non-mated pairs")
        for rate in aims.fpir:
            found = lowest_identification_threshold(scores, size, rate)
            if found is not None:
                wanted.append(("fpir", rate, size, found))
            elif size == sizes[0]:
                unreachable.append(f"FPIR {rate:g}: {counts.probes:,} probes")
    thresholds = sorted({threshold for *_, threshold in wanted})
    curve = _curve_thresholds(tail, mated.scores, thresholds)
    matches = false_matches(comparisons, [*curve, *thresholds], thresholds)
    rate_at = dict(zip(thresholds, matches.rates[len(curve) :]))
    weights = resampled_people(counts.people, resamplings, seed)
    points = []
    for aim, rate, size, threshold in wanted:
        rates = {
            "fmr": float(rate_at[threshold]),
            "fnmr": float(mated.missed([threshold])[0]),
            "fpir": false_positives(scores, size, threshold),
            "fnir": false_negatives(scores, size, aims.rank, threshold),
        }
        again = rates_again(scores, size, aims.rank, threshold, weights)
        spread = {
            "fmr": false_match_rate_again(matches.by_people[threshold], comparisons, weights),
            "fnmr": mated.missed_again(threshold, weights),
            "fpir": again.fpir,
            "fnir": again.fnir,
        }
        people = {"fnmr": counts.mated_people, "fnir": counts.mated_people}
        intervals = {
            name: interval(spread[name], rates[name], people.get(name, counts.people))
            for name in rates
        }
        points.append(OperatingPoint(aim, rate, threshold, size, **rates, intervals=intervals))
    return Calibration(
        counts, points, _curve(curve, matches, mated, scores, sizes, aims.rank), unreachable
    )


def resampled_people(people: int, resamplings: int, seed: int) -> NDArray[np.float64]:
    """How often each person counts in each resampling, [B, P]; each row sums to P.

    Args:
        people: P.
        resamplings: B.
        seed: of the draws.
    """
    drawn = numpy_generator(Draw.RESAMPLING, seed).multinomial(
        people, np.full(people, 1 / people), size=resamplings
    )
    return drawn.astype(np.float64)


def interval(values: NDArray[np.float64], rate: float, people: int) -> Interval:
    """Where 95 % of the resamplings lie, centred on the rate; by the rule of three where it is 0.

    A resampled gallery holds copies of people, so it is smaller than it seems, and its FPIR lower.
    The spread around the mean of the resamplings is what they tell, not the mean.

    Args:
        values: of the resamplings; those without a comparison are NaN and left out.
        rate: of the data itself.
        people: how many independent people it rests on.
    """
    edge = 50 * (1 - CONFIDENCE)
    known = values[np.isfinite(values)]
    low = high = rate
    if len(known):
        ends = np.percentile(known, [edge, 100 - edge]) - known.mean() + rate
        low, high = np.clip(ends, 0.0, 1.0).tolist()
    bound = min(1.0, RULE_OF_THREE / max(1, people))
    if rate == 0:
        high = max(high, bound)
    if rate == 1:
        low = min(low, 1 - bound)
    return min(low, rate), max(high, rate)


def _counts(
    comparisons: Comparisons, scores: PersonScores, mated: MatedScores, total: int
) -> Counts:
    return Counts(
        people=len(comparisons.people),
        mated_people=len(np.unique(mated.person)),
        probes=len(scores.own),
        gallery_tracks=len(comparisons.gallery),
        mated=len(mated.scores),
        nonmated=total,
    )


def _curve_thresholds(
    tail: NDArray[np.float32], mated: NDArray[np.float32], chosen: Sequence[float]
) -> list[float]:
    """Thresholds of the curve: along the tail of the non-mated, along the mated, and the points."""
    places = np.geomspace(1, max(2, len(tail)), CURVE_POINTS // 2).round().astype(int) - 1
    along = [tail[np.unique(np.clip(places, 0, len(tail) - 1))]] if len(tail) else []
    if len(mated):
        along.append(np.quantile(mated, np.linspace(0, 1, CURVE_POINTS // 2)).astype(np.float32))
    finite = np.asarray([t for t in chosen if np.isfinite(t)], np.float32)
    found: list[float] = np.unique(np.concatenate([*along, finite])).tolist()
    return found


def _curve(
    thresholds: Sequence[float],
    matches: FalseMatches,
    mated: MatedScores,
    scores: PersonScores,
    sizes: Sequence[int],
    rank: int,
) -> dict[str, Any]:
    missed = mated.missed(thresholds)
    return {
        "threshold": list(thresholds),
        "fmr": [_short(rate) for rate in matches.rates[: len(thresholds)].tolist()],
        "fnmr": [_short(rate) for rate in missed.tolist()],
        "fpir": {
            str(size): [_short(false_positives(scores, size, t)) for t in thresholds]
            for size in sizes
        },
        "fnir": {
            str(size): [_short(false_negatives(scores, size, rank, t)) for t in thresholds]
            for size in sizes
        },
    }
