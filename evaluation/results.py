"""Results as lines and tables for the terminal and the text log."""

from __future__ import annotations

import math
import re
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .metrics import RankMetrics

RANKS = (1, 5, 10, 20)
SCORES = (*(f"rank{rank}" for rank in RANKS), "mAP", "mINP")
HEADS = {f"rank{rank}": f"R{rank}" for rank in RANKS} | {"mAP": "mAP", "mINP": "mINP"}
TABLE_SCORES = ("rank1", "rank10", "mAP", "mINP")  # the table is narrow, the records hold all
WIDTH = 100
MEAN_HEAD = " | mean mAP"
STAGES = {
    "untrained": "untrained",
    "pretrain": "pre-training",
    "intra_modality": "stage one, intra-modality",
    "cross_modality": "stage one, cross-modality",
    "mmm": "MMM",
    "supervised": "supervised",
}

Record = Mapping[str, Any]


def named_scores(metrics: RankMetrics) -> dict[str, float | None]:
    """Rank-1, 5, 10, 20, mAP and mINP by name, fractions of 1; None for what does not exist.

    Raises:
        ValueError: the CMC curve is shorter than 20 ranks.
    """
    if len(metrics.cmc) < max(RANKS):
        raise ValueError(f"`cmc` must reach rank {max(RANKS)}; got {len(metrics.cmc)} ranks")
    cmc = metrics.cmc.tolist()
    values = {f"rank{rank}": cmc[rank - 1] for rank in RANKS}
    values |= {"mAP": metrics.mAP, "mINP": metrics.mINP}
    return {name: None if math.isnan(value) else value for name, value in values.items()}


def mean_and_std(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation (n − 1), of trials, splits or seeds: what a ± joins.

    Both are None if a score is missing (None or NaN), the deviation with fewer than two scores.
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known or len(known) < len(values):
        return None, None
    spread = statistics.stdev(known) if len(known) > 1 else None
    return statistics.fmean(known), spread


def result_line(record: Record) -> str:
    """One evaluation as one line, scores in per cent; a dict of ``Result.record``."""
    scores = "  ".join(f"{HEADS[name]} {score_text(record, name)}" for name in SCORES)
    return (
        f"{record['protocol']} ({record['rule']}, {record['query']} x {record['gallery']}, "
        f"{record['valid_queries']} valid, {conditions(record)})  {scores}"
    )


def conditions(record: Record) -> str:
    """How an evaluation was done: trials and their galleries, mirror, re-ranking.

    Records of earlier versions lack some of the keys.
    """
    return ", ".join(condition_parts(record))


def condition_parts(record: Record) -> tuple[str, str, str]:
    """The parts of :func:`conditions`: trials with their galleries, mirror, re-ranking."""
    trials, kind = record.get("trials", 1), record.get("gallery_kind", "whole")
    counted = "1 trial" if trials == 1 else f"{trials} trials"
    drawn = f"{kind} {'gallery' if trials == 1 else 'galleries'}"
    if kind == "drawn-query":
        drawn = "seeded queries, whole gallery"
    return (
        f"{counted}, {drawn}",
        "flip" if record.get("flip") else "no flip",
        "re-ranked" if record.get("rerank") else "no re-ranking",
    )


def score_text(record: Record, name: str) -> str:
    """A score in per cent, with ``±`` and its standard deviation where there is one."""
    std = (record.get("std") or {}).get(name)
    return percent(record.get(name)) + ("" if std is None else f"±{percent(std)}")


def last_of_stages(records: Iterable[Record]) -> dict[str, dict[str, Record]]:
    """The last evaluation of each stage: stage → protocol → record, stages in order of time."""
    stages: dict[str, dict[str, Record]] = {}
    for record in records:
        stages.setdefault(record["stage"], {})[record["protocol"]] = record
    return stages


def best_of_stages(records: Iterable[Record]) -> dict[str, dict[str, Record]]:
    """Each stage's evaluation with the highest mean mAP *on the test split*: no honest choice of a
    model, so it is only ever shown beside the last one and named so.
    """
    epochs: dict[str, dict[tuple[int, int], dict[str, Record]]] = {}
    for record in records:
        moment = (record["epoch"], record.get("step", 0))
        stage = epochs.setdefault(record["stage"], {})
        stage.setdefault(moment, {})[record["protocol"]] = record
    return {
        stage: max(moments.values(), key=lambda found: mean_map(found.values()) or 0.0)
        for stage, moments in epochs.items()
    }


def mean_map(records: Iterable[Record]) -> float | None:
    """mAP averaged over the protocols, or None if one has none."""
    values = [record.get("mAP") for record in records]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


@dataclass(frozen=True)
class Footer:
    """What the rows of a table were measured under.

    Attributes:
        marks: one for each row; empty where the unmarked notes hold.
        notes: mark and record, protocol by protocol, the unmarked one first. Rows with a mark for
            which a protocol has no note of their own were measured under its unmarked one.
    """

    marks: list[str]
    notes: list[tuple[str, Record]]

    @property
    def names(self) -> list[str]:
        """What each note is about: the protocol's short name, and the rows if not all."""
        return [
            short_name(record["protocol"]) + (f", rows marked {mark}" if mark else "")
            for mark, record in self.notes
        ]


def table_footer(rows: Iterable[Mapping[str, Record]], newest: Mapping[str, Record]) -> Footer:
    """Marks the rows whose sizes, camera rule or conditions are not those of the newest records.

    Args:
        rows: the records of each row of a table by protocol.
        newest: the newest record of every protocol, in the order of the notes.
    """
    # Rows share a mark unless a protocol that both have was measured differently.
    groups: list[dict[str, Record]] = [dict(newest)]
    marks = []
    for row in rows:
        fitting = (
            number
            for number, group in enumerate(groups)
            if all(_measured(group.get(name, one)) == _measured(one) for name, one in row.items())
        )
        number = next(fitting, len(groups))
        if number == len(groups):
            groups.append({})
        groups[number] = {**row, **groups[number]}
        marks.append("*" * number)
    notes = [
        ("*" * number, group[name])
        for name, record in newest.items()
        for number, group in enumerate(groups)
        if name in group and (number == 0 or _measured(group[name]) != _measured(record))
    ]
    return Footer(marks, notes)


def _measured(record: Record) -> tuple[object, ...]:
    sizes = (record.get(name) for name in ("rule", "query", "valid_queries", "gallery"))
    return (*sizes, *condition_parts(record))


def summary_table(records: Sequence[Record]) -> str:
    """The final table: a line for each stage with its last evaluation, scores in per cent.

    Protocols stand side by side as far as ``WIDTH`` columns allow, the others below.

    Args:
        records: evaluations in order of time, of one or several runs; may be empty.

    Returns:
        Lines of at most ``WIDTH`` characters, below the table the protocols with their sizes and
        conditions. Stages that were measured under others than the newest are marked.
    """
    if not records:
        return "No evaluation was recorded."
    stages = last_of_stages(records)
    last = {record["protocol"]: record for record in records}
    names = [name for found in stages.values() for name in found]
    names = sorted(dict.fromkeys(names), key=list(last).index)
    footer = table_footer(stages.values(), {name: last[name] for name in names})
    labels = {
        stage: f"{stage_name(stage)} {mark}".rstrip() for stage, mark in zip(stages, footer.marks)
    }
    label_width = max(len("stage"), *map(len, labels.values()))
    shown = [record for found in stages.values() for record in found.values()]
    cell = 13 if any(record.get("std") for record in shown) else 7
    panel_width = cell * len(TABLE_SCORES)
    side_by_side = max(1, (WIDTH - label_width - len(MEAN_HEAD)) // (panel_width + 2))
    bands = [names[i : i + side_by_side] for i in range(0, len(names), side_by_side)]
    lines: list[str] = []
    for number, band in enumerate(bands, start=1):
        mean = number == len(bands) and len(names) > 1
        lines.append(
            " " * label_width + "".join(f" |{short_name(name):^{panel_width}}" for name in band)
        )
        lines.append(
            f"{'stage':<{label_width}}"
            + "".join(" |" + "".join(f"{HEADS[s]:>{cell}}" for s in TABLE_SCORES) for _ in band)
            + (MEAN_HEAD if mean else "")
        )
        lines.append("-" * len(lines[-1]))
        for stage, found in stages.items():
            cells = "".join(
                " |"
                + "".join(f"{score_text(found.get(name, {}), s):>{cell}}" for s in TABLE_SCORES)
                for name in band
            )
            over = mean_map(found.get(name, {}) for name in names)
            after = f" | {percent(over):>{len(MEAN_HEAD) - 3}}" if mean else ""
            lines.append(f"{labels[stage]:<{label_width}}{cells}{after}")
        lines.append("")
    for name, (_, record) in zip(footer.names, footer.notes):
        lines += textwrap.wrap(
            f"{name}: {record['protocol']}, {record['query']} queries "
            f"({record['valid_queries']} with a match) x {record['gallery']} gallery tracks, "
            f"camera rule {record['rule']}, {conditions(record)}, in per cent",
            width=WIDTH,
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def short_name(protocol: str) -> str:
    """A protocol's name without its data set, in capitals where only the direction is left."""
    _, _, rest = protocol.partition("/")
    name = re.sub(r"^trial-[^/]+/", "", rest) or protocol
    return name.upper() if "/" not in name else name


def stage_name(stage: str) -> str:
    """Name of a stage as people read it."""
    return STAGES.get(stage, stage)


def percent(value: float | None) -> str:
    """A fraction in per cent with two digits, a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.2f}"
