"""Same person or unknown: calibrated thresholds, applied to the answers of a search.

A threshold holds for the network, the vectors and the directions that it was measured with. Its
false positive identification rate, FPIR, holds for a gallery as large as the measured one: among
more tracklets a stranger has more chances, so the rate is carried over to the number that is
searched, as for independent comparisons. Source: ISO/IEC 19795-1, identification error rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..engine.calibration_file import NAME, WHOLE, read_calibration
from ..errors import as_user_error
from ..reading import is_number, is_whole, shortened

Decision = Literal["same", "unknown"]


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does in one direction.

    Attributes:
        threshold: scores from it on are taken for the same person.
        fpir: share of searches for a stranger that name somebody.
        gallery_size: people among whom that was measured.
    """

    threshold: float
    fpir: float
    gallery_size: int

    def rate(self, searched: int) -> float:
        """FPIR among another number of tracklets, were comparisons independent.

        Args:
            searched: that number; each counts as a person of its own, which errs on the safe side.
        """
        if self.fpir >= 1 or not searched:
            return float(bool(searched))
        return -math.expm1(math.log1p(-self.fpir) * searched / self.gallery_size)


# Query and gallery modality, then their cameras, None for all.
Direction = tuple[str, str, str | None, str | None]


@dataclass(frozen=True)
class Calibration:
    """Operating points by direction.

    Attributes:
        fingerprint: of the network that they were measured with.
        projection: fingerprint of the projection, ``none`` for whole features.
        points: by direction.
        approximate: nobody was known: tracklets at one time stood for different people.
    """

    fingerprint: str
    projection: str
    points: Mapping[Direction, Sequence[OperatingPoint]]
    approximate: bool = False

    def threshold(
        self,
        modalities: tuple[str, str],
        cameras: tuple[str, str],
        searched: int,
        fpir: float,
    ) -> float | None:
        """The lowest threshold that keeps the rate of false positives.

        Args:
            modalities: of query and candidate.
            cameras: of query and candidate; points of this pair go before those of all cameras.
            searched: tracklets that were ranked.
            fpir: the rate.

        Returns:
            None where nothing was measured that keeps it.
        """
        points = self.points.get((*modalities, *cameras)) or self.points.get(
            (*modalities, None, None), ()
        )
        kept = [point.threshold for point in points if point.rate(searched) <= fpir]
        return min(kept, default=None)


def thresholds_of(folder: Path) -> Calibration | None:
    """The thresholds of a folder; None where it has none.

    Args:
        folder: a run or an index.

    Raises:
        UserError: the file is damaged, or of another version.
    """
    record = read_calibration(folder)
    if record is None:
        return None
    with as_user_error(KeyError, TypeError, AttributeError, start=f"{folder / NAME}: "):
        points = {_direction(entry): _points(entry) for entry in record["directions"]}
    projection = str(record.get("projection") or WHOLE)
    return Calibration(record["fingerprint"], projection, points, bool(record.get("approximate")))


def _direction(entry: Any) -> Direction:
    cameras = [entry.get(name) for name in ("query_camera", "gallery_camera")]
    first, second = (None if camera is None else str(camera) for camera in cameras)
    return str(entry["query"]), str(entry["gallery"]), first, second


def _points(entry: Any) -> list[OperatingPoint]:
    """Those of the table, and those along the curve.

    With no error among n independent trials, a rate lies below 3 / n with 95 % confidence; a zero
    stands for that. Where no FPIR was measured, a pair's false-match rate is one in a gallery of 1.
    """
    counts, curve = entry.get("counts", {}), entry.get("curve") or {}
    probes, pairs = (_bound(counts.get(name)) for name in ("probes", "nonmated"))
    thresholds = entry["thresholds"]
    given = [(one["threshold"], one["fpir"], one["gallery_size"], probes) for one in thresholds]
    given += [(one["threshold"], one["fmr"], 1, pairs) for one in thresholds if one["fpir"] is None]
    for size, rates in (curve.get("fpir") or {}).items():
        given += [(t, rate, int(size), probes) for t, rate in zip(curve["threshold"], rates)]
    if curve and "fpir" not in curve:
        given += [(t, rate, 1, pairs) for t, rate in zip(curve["threshold"], curve["fmr"])]
    points = []
    for threshold, rate, size, least in given:
        if threshold is None or rate is None or (not rate and least is None):
            continue  # nothing was measured there
        if not is_number(threshold) or not is_number(rate) or not 0 <= rate <= 1:
            raise ValueError(f"{shortened((threshold, rate))} is no threshold with its rate")
        if not is_whole(size) or not size:
            raise ValueError(f"gallery_size: expected a number from 1, found {shortened(size)}")
        points.append(OperatingPoint(float(threshold), float(rate) or least or 0.0, int(size)))
    return points


def _bound(trials: Any) -> float | None:
    return min(1.0, 3 / trials) if is_whole(trials) and trials else None


def calibration_for(
    index: Path, run: Path, fingerprint: str, projection: str
) -> tuple[Calibration | None, str]:
    """The thresholds that hold for the vectors of an index, and what to say where none do.

    Args:
        index: its own thresholds go first.
        run: whose thresholds count, too, if they were measured with the same vectors.
        fingerprint: of the network.
        projection: fingerprint of the projection of the index.

    Raises:
        UserError: a file is damaged.
    """
    advice = f"`vireid calibrate {run} --data-dir DIR --index {index}` measures them"
    said = (
        "no decisions, only scores: there are no calibrated thresholds "
        f"({NAME} in {index} or {run}); {advice}"
    )
    for folder in (index, run.parent if run.is_file() else run):
        found = thresholds_of(folder)
        if found is None:
            continue
        if found.fingerprint != fingerprint:
            said = (
                f"no decisions, only scores: {folder / NAME} is of another network; {advice} anew"
            )
        elif found.projection != projection:
            said = (
                f"no decisions, only scores: the thresholds of {folder / NAME} hold for other "
                f"vectors than those of the index; {advice} for these"
            )
        else:
            return found, ""
    return None, said


def statements(calibration: Calibration | None, note: str, fpir: float) -> list[str]:
    """What decisions state, in sentences for whoever reads them.

    Args:
        calibration: None where nothing decides.
        note: why nothing does, as :func:`calibration_for` says it.
        fpir: share of searches for a stranger that may name somebody.
    """
    notes = [note] if note else []
    if calibration is not None:
        notes.append(
            f"same: of searches for somebody who is not in the index, {fpir:.2%} or less "
            "name anybody (FPIR, carried over from the people of the calibration); unknown: all "
            "other candidates"
        )
        if calibration.approximate:
            notes.append(
                "the thresholds were measured without knowing anybody, and are an approximation"
            )
    return notes
