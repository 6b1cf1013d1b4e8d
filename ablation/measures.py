"""What a finished run reached, read from its run folder."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..evaluation.results import last_of_stages, mean_map
from ..reporting.run_record import RunRecord, read_run

SCORES = ("mAP", "rank1", "accuracy", "precision", "recall", "ari", "noise")


def measure(folder: Path, before: Path | None) -> dict[str, Any]:
    """Figures of the run's end; none is chosen by test results.

    Args:
        folder: a finished run folder.
        before: run folder of the stage one that it started from, None if it has none.

    Returns:
        ``mAP`` and ``rank1``: means of the directions; ``accuracy``, ``precision``, ``recall`` of
        the last matching, by visible clusters; ``ari`` and ``noise`` of the last labels of both
        modalities; ``steps`` and ``clips``: of the run itself; ``steps_before``: those of stage
        one. Fractions of 1; None where the run measures no such thing.
    """
    run = read_run(folder)
    last: dict[str, Any] = {}
    for found in last_of_stages(run.of_kind("evaluation", own=True)).values():
        last = found  # stages are in order of time
    ranks = [record["rank1"] for record in last.values() if record.get("rank1") is not None]
    matching = _last(run, "matching")
    labels = _last(run, "pseudo_labels", modality="joint")
    training = run.of_kind("train", own=True)
    return {
        "mAP": mean_map(last.values()),
        "rank1": mean(ranks) if ranks and len(ranks) == len(last) else None,
        **{name: matching.get(name) for name in ("accuracy", "precision", "recall")},
        **{name: labels.get(name) for name in ("ari", "noise")},
        "steps": _steps(run),
        "clips": round(
            sum((r.get("clips_per_second") or 0) * (r.get("seconds") or 0) for r in training)
        ),
        "steps_before": 0 if before is None else _steps(read_run(before)),
    }


def _steps(run: RunRecord) -> int:
    return max((record.get("step") or 0 for record in run.of_kind("train", own=True)), default=0)


def _last(run: RunRecord, kind: str, **wanted: str) -> dict[str, Any]:
    found = [
        record
        for record in run.of_kind(kind, own=True)
        if all(record.get(name) == value for name, value in wanted.items())
    ]
    return found[-1] if found else {}


@dataclass(frozen=True)
class Spread:
    """A figure over the runs of a row.

    Attributes:
        mean: over the draws, of each draw's mean.
        between: sample standard deviation of the draws' means; None for one draw.
        within: sample standard deviation of the runs of one draw, pooled over the draws; None where
            no draw has several runs.
    """

    mean: float
    between: float | None
    within: float | None


def spread(values: Mapping[int, Sequence[float]]) -> Spread:
    """Mean of a figure, and how far it spreads between draws and within one.

    Args:
        values: draw to the figures of its runs, at least one.
    """
    means = [mean(runs) for runs in values.values()]
    freedom = sum(len(runs) - 1 for runs in values.values())
    squares = sum(sum((one - mean(runs)) ** 2 for one in runs) for runs in values.values())
    return Spread(
        mean(means),
        stdev(means) if len(means) > 1 else None,
        math.sqrt(squares / freedom) if freedom else None,
    )
