"""The result table, the rows published on the same data, and several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..datasets.registry import known_spec
from ..evaluation.results import (
    SCORES,
    Record,
    best_of_stages,
    condition_parts,
    conditions,
    last_of_stages,
    mean_map,
    percent,
    score_text,
    short_name,
    stage_name,
    table_footer,
)
from .headline import last_evaluations
from .run_facts import is_synthetic
from .run_record import RunRecord

FACTS = ("data set", "sizes", "camera rule", "trials", "flip", "re-ranking")


def results(run: RunRecord) -> dict[str, Any]:
    """Rows of the result table, the protocols that they were measured under, published rows."""
    records = run.of_kind("evaluation")
    # V2I before I2V, and the newest record of each protocol for its sizes.
    newest = {r["protocol"]: r for r in records}
    names = sorted(newest, key=lambda name: (name.rpartition("/")[0], name), reverse=True)
    last, best = last_of_stages(records), best_of_stages(records)
    rows: list[dict[str, Any]] = []
    measured = []
    for stage, found in last.items():
        picks = [("last", found)]
        best_epoch = {r["epoch"] for r in best[stage].values()}
        if best_epoch != {r["epoch"] for r in found.values()}:
            picks.append(("best on test", best[stage]))
        for kind, chosen in picks:
            measured.append(chosen)
            rows.append(
                {
                    "stage": stage_name(stage),
                    "kind": kind,
                    "epoch": max(r["epoch"] for r in chosen.values()),
                    "scores": [
                        [score_text(chosen.get(name, {}), score) for score in SCORES]
                        for name in names
                    ],
                    "mean": percent(mean_map(chosen.get(name, {}) for name in names)),
                }
            )
    spec = known_spec(str(run.setting("dataset")))
    footer = table_footer(measured, {name: newest[name] for name in names})
    protocols = [
        {**record, "short": name, "conditions": conditions(record)}
        for name, (_, record) in zip(footer.names, footer.notes)
    ]
    return {
        "rows": [row | {"mark": mark} for row, mark in zip(rows, footer.marks)],
        "protocols": protocols,
        "directions": [short_name(name) for name in names],
        # Those of the real data set say nothing of a synthetic one in its layout.
        "published": () if spec is None or is_synthetic(run) else spec.results,
    }


def comparison(runs: Sequence[RunRecord], titles: Sequence[str]) -> dict[str, Any]:
    """Last results of several runs, and the settings in which they differ."""
    finals = [last_evaluations(run) for run in runs]
    names = list(dict.fromkeys(short_name(name) for _, found in finals for name in found))
    rows = []
    for title, (stage, found), under in zip(titles, finals, _differently_measured(runs)):
        by_name = {short_name(name): record for name, record in found.items()}
        cells = [
            score_text(by_name[name], score) if name in by_name else "-"
            for name in names
            for score in ("rank1", "mAP", "mINP")
        ]
        rows.append(
            {
                "run": title,
                "stage": stage_name(stage),
                "measured": under,
                "cells": cells,
                "mean": percent(mean_map(found.values())),
            }
        )
    differing = [
        (name, [str(run.config.get(name, "not set")) for run in runs])
        for name in dict.fromkeys(name for run in runs for name in run.config)
        if len({str(run.config.get(name)) for run in runs}) > 1
    ]
    return {"names": names, "rows": rows, "settings": differing}


def _differently_measured(runs: Sequence[RunRecord]) -> list[str]:
    """Data set and conditions of each run, as far as another differs from it within a column."""
    columns = [
        {short_name(name): _measured(run, one) for name, one in last_evaluations(run)[1].items()}
        for run in runs
    ]
    texts = []
    for own in columns:
        told = [
            facts[what]
            for what in FACTS
            for name, facts in own.items()
            if any(_differ(facts, other[name], what) for other in columns if name in other)
        ]
        texts.append(", ".join(dict.fromkeys(told)))
    return texts


def _measured(run: RunRecord, record: Record) -> dict[str, str]:
    """What an evaluation was measured on and how, in words."""
    protocol = str(record["protocol"])
    data = protocol[: -len(short_name(protocol))].rstrip("/")  # a split's number belongs to it
    return dict(
        zip(
            FACTS,
            (
                f"synthetic {data}" if is_synthetic(run) else data,
                f"{record['query']} x {record['gallery']} tracks",
                f"camera rule {record['rule']}",
                *condition_parts(record),
            ),
        )
    )


def _differ(one: Mapping[str, str], other: Mapping[str, str], what: str) -> bool:
    # Two data sets differ in size as a matter of course.
    return one[what] != other[what] and (what != "sizes" or one["data set"] == other["data set"])
