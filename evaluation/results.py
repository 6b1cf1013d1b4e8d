"""Results as lines and tables for the terminal and the text log."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .metrics import RankMetrics
from .protocols import Protocol

RANKS = (1, 5, 10, 20)
SCORES = (*(f"rank{rank}" for rank in RANKS), "mAP", "mINP")
HEADS = {f"rank{rank}": f"R{rank}" for rank in RANKS} | {"mAP": "mAP", "mINP": "mINP"}
STAGES = {
    "untrained": "untrained",
    "warm-up": "warm-up",
    "within": "stage one, within modalities",
    "across": "stage one, across modalities",
    "mmm": "MMM",
    "supervised": "supervised",
}

Record = Mapping[str, Any]


def evaluation_record(
    protocol: Protocol, metrics: RankMetrics, *, stage: str, epoch: int, step: int
) -> dict[str, Any]:
    """One evaluation as it is written to ``metrics.jsonl``; scores are fractions of 1.

    Args:
        protocol: the direction that was evaluated.
        metrics: its means, with a CMC curve of at least 20 ranks.
        stage: a key of ``STAGES``.
        epoch: epochs done in the stage.
        step: optimiser steps done in the run.

    Returns:
        A JSON-able dict without ``kind``; a score that does not exist (no valid query) is None.

    Raises:
        ValueError: the CMC curve is shorter than 20 ranks.
    """
    if len(metrics.cmc) < max(RANKS):
        raise ValueError(f"`metrics.cmc` must reach rank {max(RANKS)}; got {len(metrics.cmc)}")
    cmc = metrics.cmc.tolist()
    values = {f"rank{rank}": cmc[rank - 1] for rank in RANKS}
    values |= {"mAP": metrics.mAP, "mINP": metrics.mINP}
    return {
        "stage": stage,
        "epoch": epoch,
        "step": step,
        "protocol": protocol.name,
        "rule": protocol.rule,
        "query": len(protocol.query),
        "gallery": len(protocol.gallery),
        "valid_queries": metrics.valid_queries,
        **{name: None if math.isnan(value) else value for name, value in values.items()},
    }


def result_line(record: Record) -> str:
    """One evaluation as one line, scores in per cent.

    Args:
        record: a dict of ``evaluation_record``.
    """
    scores = "  ".join(f"{HEADS[name]} {percent(record.get(name))}" for name in SCORES)
    reranked = ", re-ranked" if record.get("rerank") else ""
    return (
        f"{record['protocol']} ({record['rule']}, {record['query']} x {record['gallery']}, "
        f"{record['valid_queries']} valid{reranked})  {scores}"
    )


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
        moment = (record["epoch"], record["step"])
        stage = epochs.setdefault(record["stage"], {})
        stage.setdefault(moment, {})[record["protocol"]] = record
    return {
        stage: max(moments.values(), key=lambda found: mean_map(found.values()) or 0.0)
        for stage, moments in epochs.items()
    }


def mean_map(records: Iterable[Record]) -> float | None:
    """mAP averaged over the directions, or None if one has none."""
    values = [record.get("mAP") for record in records]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def summary_table(records: Sequence[Record]) -> str:
    """The final table: a line for each stage with its last evaluation, scores in per cent.

    Args:
        records: evaluations in order of time, of one or several runs; may be empty.

    Returns:
        Lines of equal layout, below them the protocols with their sizes.
    """
    if not records:
        return "No evaluation was recorded."
    stages = last_of_stages(records)
    names = sorted({record["protocol"] for record in records}, reverse=True)  # v2i before i2v
    label_width = max(len(stage_name(stage)) for stage in stages)
    group_width = 7 * len(SCORES)
    directions = [name.rpartition("/")[2].upper() for name in names]
    lines = [
        " " * label_width + "".join(f" |{name:^{group_width}}" for name in directions) + " |",
        f"{'stage':<{label_width}}"
        + "".join(" |" + "".join(f"{HEADS[s]:>7}" for s in SCORES) for _ in names)
        + " | mean mAP",
    ]
    lines.append("-" * len(lines[-1]))
    for stage, found in stages.items():
        cells = "".join(
            " |" + "".join(f"{percent(found.get(name, {}).get(s)):>7}" for s in SCORES)
            for name in names
        )
        mean = mean_map(found.get(name, {}) for name in names)
        lines.append(f"{stage_name(stage):<{label_width}}{cells} | {percent(mean):>8}")
    lines.append("")
    for name in names:
        last = [record for record in records if record["protocol"] == name][-1]
        lines.append(
            f"{name.rpartition('/')[2].upper()}: {name}, {last['query']} queries "
            f"({last['valid_queries']} with a match) x {last['gallery']} gallery tracks, "
            f"camera rule {last['rule']}, {'re-ranked, ' if last.get('rerank') else ''}in per cent"
        )
    return "\n".join(lines)


def stage_name(stage: str) -> str:
    """Name of a stage as people read it."""
    return STAGES.get(stage, stage)


def percent(value: float | None) -> str:
    """A fraction in per cent with two digits, a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.2f}"
