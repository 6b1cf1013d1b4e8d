"""One self-contained HTML page about a run: what was run, results, curves, ranked lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml
from markupsafe import Markup

from .charts import histogram
from .curves import curves
from .film_strip import film_strip
from .protocols import protocols
from .ranked_lists import DirectionScores, RankedList, ranked_lists, score_direction
from .results import (
    HEADS,
    SCORES,
    best_of_stages,
    last_of_stages,
    mean_map,
    percent,
    stage_name,
)
from .run_record import RunRecord, read_run, read_test_features, read_test_tracks

TEMPLATES = Path(__file__).parent / "templates"
LONG_NAMES = {
    "v2i": "visible query, infrared gallery",
    "i2v": "infrared query, visible gallery",
}


def write_report(run: Path, out: Path | None = None, compare: Sequence[Path] = ()) -> Path:
    """Writes the page; it needs no network and no other file.

    What a run lacks (features, pictures, identities) becomes a sentence that says so.

    Args:
        run: a run folder.
        out: file to write; ``report.html`` in the run folder by default.
        compare: further run folders, whose results and differing settings are put beside.

    Returns:
        The written file.

    Raises:
        FileNotFoundError: a folder is no run folder.
        ValueError: a file in a run folder is malformed.
    """
    record = read_run(run)
    others = [read_run(path) for path in compare]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    retrieval, retrieval_notes = _retrieval(record)
    page = environment.get_template("report.html.j2").render(
        name=run.resolve().name,
        facts=_facts(record),
        config=yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True)
        if record.config
        else "",
        times=_times(record),
        scores=[(score, HEADS[score]) for score in SCORES],
        results=_results(record),
        charts=curves(record),
        retrieval=retrieval,
        retrieval_notes=retrieval_notes,
        comparison=_comparison([record, *others]) if others else None,
        notes=_notes(record),
    )
    out = out or run / "report.html"
    beside = out.with_name(out.name + ".part")
    beside.write_text(page, encoding="utf-8")
    beside.replace(out)
    return out


def _notes(run: RunRecord) -> list[str]:
    return run.notes + (_notes(run.baseline) if run.baseline else [])


def _facts(run: RunRecord) -> list[tuple[str, str]]:
    """What was run, as name and text."""
    first: dict[str, Any] = {}
    for record in run.of_kind("run", own=True):
        first.update(record)
    versions = first.get("versions") or {}
    facts = [
        ("Command", first.get("command")),
        ("Data set", run.setting("dataset")),
        ("Data folder", run.setting("data_dir")),
        ("Verification", first.get("verification")),
        ("Stage one", run.config.get("baseline")),
        ("Seed", run.setting("seed")),
        ("Device", first.get("device")),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("Run folder", run.path),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _times(run: RunRecord) -> list[dict[str, Any]]:
    """Time and steps of each stage; a resumed stage counts all its parts."""
    stages: dict[str, dict[str, Any]] = {}
    for record in run.of_kind("stage_time"):
        total = stages.setdefault(record["stage"], {"seconds": 0.0, "steps": 0})
        total["seconds"] += record.get("seconds") or 0.0
        total["steps"] += record.get("steps") or 0
    return [
        {"stage": stage_name(stage), "time": _duration(total["seconds"]), "steps": total["steps"]}
        for stage, total in stages.items()
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _results(run: RunRecord) -> dict[str, Any]:
    """Rows of the result table, and the protocols that they were measured under."""
    records = run.of_kind("evaluation")
    names = sorted({record["protocol"] for record in records}, reverse=True)
    last, best = last_of_stages(records), best_of_stages(records)
    rows = []
    for stage, found in last.items():
        picks = [("last", found)]
        best_epoch = {r["epoch"] for r in best[stage].values()}
        if best_epoch != {r["epoch"] for r in found.values()}:
            picks.append(("best on test", best[stage]))
        for kind, chosen in picks:
            rows.append(
                {
                    "stage": stage_name(stage),
                    "kind": kind,
                    "epoch": max(r["epoch"] for r in chosen.values()),
                    "scores": [[chosen.get(n, {}).get(s) for s in SCORES] for n in names],
                    "mean": mean_map(chosen.get(n, {}) for n in names),
                }
            )
    sizes = [[r for r in records if r["protocol"] == name][-1] for name in names]
    return {"rows": rows, "protocols": sizes, "directions": [_short(name) for name in names]}


def _short(protocol: str) -> str:
    return protocol.rpartition("/")[2].upper()


def _retrieval(run: RunRecord) -> tuple[list[dict[str, Any]], list[str]]:
    """Ranked lists and histograms of both directions, and sentences about what is missing."""
    notes: list[str] = []
    try:
        dataset = read_test_tracks(run)
        features, keys = read_test_features(run)
        directions = protocols(dataset)
    except FileNotFoundError as error:
        return [], [f"No ranked lists: {error}. They come with the evaluation at the end of a run."]
    except ValueError as error:
        return [], [f"No ranked lists: {error}."]
    if not dataset.root.is_dir():
        notes.append(
            f"The data folder {dataset.root} is not there, so the ranked lists show the names of "
            "the tracks instead of their frames."
        )
    views: list[dict[str, Any]] = []
    for protocol in directions:
        try:
            scored = score_direction(protocol, features, keys)
        except ValueError as error:
            notes.append(f"No ranked lists for {protocol.name}: {error}.")
            continue
        if not bool(scored.scores.valid.any()):
            notes.append(f"No ranked lists for {protocol.name}: no query has a match left.")
            continue
        views.append(_direction_view(scored, len(views)))
    return views, notes


def _direction_view(scored: DirectionScores, number: int) -> dict[str, Any]:
    protocol = scored.protocol
    title = f"{protocol.direction.upper()}: {LONG_NAMES.get(protocol.direction, '')}"
    chart: Markup = histogram(
        scored.average_precisions,
        title=f"Average precision of the queries, {protocol.direction.upper()}",
        x_label="average precision",
        colour=number,
    )
    return {
        "title": title,
        "rule": protocol.rule,
        "sizes": f"{len(protocol.query)} queries, {len(protocol.gallery)} gallery tracks",
        "histogram": chart,
        "lists": [_list_view(ranked) for ranked in ranked_lists(scored)],
    }


def _list_view(ranked: RankedList) -> dict[str, Any]:
    return {
        "ranked": ranked,
        "strip": film_strip(ranked.query),
        "items": [(item, film_strip(item.track)) for item in ranked.items],
    }


def _comparison(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """Last results of several runs, and the settings in which they differ."""
    rows = []
    for run in runs:
        stages = last_of_stages(run.of_kind("evaluation"))
        stage, found = list(stages.items())[-1] if stages else ("no evaluation", {})
        by_direction = {_short(name): record for name, record in found.items()}
        rows.append(
            {
                "run": str(run.path),
                "stage": stage_name(stage),
                "cells": [
                    by_direction.get(direction, {}).get(score)
                    for direction in ("V2I", "I2V")
                    for score in ("rank1", "mAP", "mINP")
                ],
                "mean": mean_map(found.values()),
            }
        )
    names = list(dict.fromkeys(name for run in runs for name in run.config))
    differing = [
        (name, [str(run.config.get(name, "not set")) for run in runs])
        for name in names
        if len({str(run.config.get(name)) for run in runs}) > 1
    ]
    return {"rows": rows, "settings": differing}
