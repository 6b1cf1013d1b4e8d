"""From the records of a run to its curves over epochs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from markupsafe import Markup

from ..evaluation.results import HEADS, short_name, stage_name
from .charts import Band, Series, line_chart
from .run_record import RunRecord

Record = dict[str, Any]
MODALITIES = ("visible", "infrared", "joint")
# Full names are too wide for a chart.
SHORT = {"intra_modality": "intra", "cross_modality": "cross"}
TIMED = ("train", "evaluation", "pseudo_labels", "matching")


class Timeline:
    """One x axis for stages that each count their epochs anew: stage after stage."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.last: dict[str, float] = {}
        for record in records:
            if record.get("kind") in TIMED and "stage" in record and "epoch" in record:
                stage = str(record["stage"])
                self.last[stage] = max(self.last.get(stage, 0.0), float(record["epoch"]))
        ends = itertools.accumulate(self.last.values())
        self.start = {stage: end - self.last[stage] for stage, end in zip(self.last, ends)}

    def bands(self) -> list[Band]:
        """The stages that last at least one epoch."""
        return [
            Band(SHORT.get(stage, stage_name(stage)), start, start + self.last[stage])
            for stage, start in self.start.items()
            if self.last[stage] > 0
        ]

    def at(self, record: Record) -> float | None:
        """Place of a record on the axis."""
        if "epoch" not in record or record.get("stage") not in self.start:
            return None
        return self.start[str(record["stage"])] + float(record["epoch"])


@dataclass(frozen=True)
class Curves:
    """The charts of a run for which there is something to draw.

    Attributes:
        charts: results, losses, clusters and their agreement with the identities.
        unlabelled: what needs no identity.
    """

    charts: list[Markup]
    unlabelled: list[Markup]


def curves(run: RunRecord) -> Curves:
    """All charts of a run."""
    timeline = Timeline(run.history)
    evaluations = run.of_kind("evaluation")
    labels = run.of_kind("pseudo_labels")
    matching = run.of_kind("matching")
    train = run.of_kind("train")
    names = sorted({e["protocol"] for e in evaluations if "protocol" in e}, reverse=True)

    line = partial(_series, timeline)

    def chart(title: str, series: list[Series], unit: str) -> Markup:
        return line_chart(series, title=title, unit=unit, bands=timeline.bands())

    def by_modality(
        score: str, scale: float = 1.0, records: Sequence[Record] = labels, after: str = ""
    ) -> list[Series]:
        return [
            line(m + after, [r for r in records if r.get("modality") == m], _value(score, scale))
            for m in MODALITIES
        ]

    parts = dict.fromkeys(name for record in train for name in record.get("losses") or {})
    ranking = [
        line(
            f"{short_name(name)} {HEADS[score]}",
            [e for e in evaluations if e.get("protocol") == name],
            _value(score, 100),
            joined=True,
        )
        for score in ("mAP", "rank1")
        for name in names
    ]
    people = by_modality("identities", after=" identities")
    # Each modality usually shows the same people; one line then says it for all.
    if len({y for one in people for _, y in one.points if y is not None}) == 1:
        people = [Series("true identities", max((one.points for one in people), key=len))]
    shares = all((r.get("noise") or 0) <= 1 for r in labels)
    charts = [
        chart("mAP and Rank-1 on the test split", ranking, "%"),
        chart("Training loss", [line("loss", train, _value("loss"))], ""),
        chart("Parts of the loss", [line(p, train, _part(p)) for p in parts], ""),
        chart("Clusters and identities", by_modality("clusters") + people, "count"),
        chart(
            "Samples left out as noise",
            by_modality("noise", 100 if shares else 1),
            "%" if shares else "count",
        ),
        chart("Largest cluster", by_modality("largest"), "samples"),
        chart("Clusters against identities: ARI", by_modality("ari"), ""),
        chart("Clusters against identities: NMI", by_modality("nmi"), ""),
        chart("Clusters against identities: purity", by_modality("purity", 100), "%"),
        chart(
            "Matching across modalities",
            [
                line("right, of all visible clusters", matching, _value("accuracy", 100)),
                line("right, of the matched ones", matching, _value("precision", 100)),
                line("found, of those with a right partner", matching, _value("recall", 100)),
            ],
            "%",
        ),
        chart(
            "Confidence in the unified labels",
            by_modality("mean", records=run.of_kind("confidence")),
            "mean",
        ),
    ]
    unlabelled = [
        chart("Stability: ARI with the clustering before", by_modality("stability"), ""),
        chart("Silhouette", by_modality("silhouette"), ""),
        chart("Tracks of their cluster's main camera", by_modality("camera_purity", 100), "%"),
        chart("Clusters that hold both modalities", by_modality("mixed", 100)[2:], "%"),
        chart(
            "Margin of the match: second best against best",
            [line("median over the visible clusters", matching, _value("margin", 100))],
            "%",
        ),
    ]
    return Curves([c for c in charts if c], [c for c in unlabelled if c])


def _series(
    timeline: Timeline,
    name: str,
    records: Iterable[Record],
    value: Callable[[Record], Any],
    joined: bool = False,
) -> Series:
    """A line whose stages are joined or apart; several values of one epoch become their mean."""
    stages: dict[str, dict[float, list[float]]] = {}
    for record in records:
        x, y = timeline.at(record), value(record)
        if x is not None and isinstance(y, (int, float)) and math.isfinite(y):
            piece = stages.setdefault(str(record["stage"]), {})
            piece.setdefault(x, []).append(float(y))
    points: list[tuple[float, float | None]] = []
    for piece in stages.values():
        if points and not joined:
            points.append((points[-1][0], None))
        points += [(x, sum(ys) / len(ys)) for x, ys in sorted(piece.items())]
    return Series(name, points)


def _value(name: str, scale: float = 1.0) -> Callable[[Record], Any]:
    def value(record: Record) -> Any:
        found = record.get(name)
        return found * scale if isinstance(found, (int, float)) else None

    return value


def _part(name: str) -> Callable[[Record], Any]:
    return lambda record: (record.get("losses") or {}).get(name)
