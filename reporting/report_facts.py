"""What was run, the result table, and several runs side by side, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..datasets.registry import known_spec
from ..datasets.spec import PublishedResult
from ..datasets.synthetic_mark import MARKER
from ..evaluation.results import (
    SCORES,
    Record,
    best_of_stages,
    conditions,
    last_of_stages,
    mean_map,
    percent,
    score_text,
    short_name,
    stage_name,
)
from .run_record import RunRecord


def facts(run: RunRecord) -> list[tuple[str, str]]:
    """What was run, as name and text."""
    first: dict[str, Any] = {}
    for record in run.of_kind("run", own=True):
        first.update(record)
    versions = first.get("versions") or {}
    found = [
        ("Command", first.get("command")),
        ("Description", run.config.get("desc")),
        ("Data set", run.setting("dataset")),
        ("Data folder", run.setting("data_dir")),
        ("Verification", first.get("verification")),
        ("Stage one", run.config.get("baseline")),
        ("Recipe", first.get("recipe") or run.config.get("recipe")),
        ("Network", _network(run)),
        ("Batch", _batch(run, first)),
        ("Seed", run.setting("seed")),
        ("Device", first.get("device")),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("Run folder", run.path),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]


def _network(run: RunRecord) -> str:
    config = run.config
    parts = [str(config[name]) for name in ("network", "backbone") if config.get(name)]
    if config.get("img_h") and config.get("img_w"):
        parts.append(f"{config['img_h']} x {config['img_w']} pixels")
    if config.get("num_frames") and parts:
        parts.append(f"{config['num_frames']} frames a clip")
    return ", ".join(parts)


def _batch(run: RunRecord, first: Record) -> str:
    """Effective batch and batch-norm batch, as far as they are recorded or follow from settings."""
    ids, each = run.config.get("p_num"), run.config.get("k_num")
    parts = [f"{ids} identities or clusters x {each} clips"] if ids and each else []
    for name, text in (
        ("effective_batch", "effective batch {} clips"),
        ("bn_batch", "batch norm over {} clips"),
        ("accumulate", "gradients of {} passes added up"),
    ):
        value = first.get(name, run.config.get(name))
        if value not in (None, 1, ""):
            parts.append(text.format(value))
    return ", ".join(parts)


def times(run: RunRecord) -> list[dict[str, Any]]:
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


def results(run: RunRecord) -> dict[str, Any]:
    """Rows of the result table, the protocols that they were measured under, published rows."""
    records = run.of_kind("evaluation")
    # V2I before I2V, and the newest record of each protocol for its sizes.
    newest = {r["protocol"]: r for r in records}
    names = sorted(newest, key=lambda name: (name.rpartition("/")[0], name), reverse=True)
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
                    "scores": [
                        [score_text(chosen.get(name, {}), score) for score in SCORES]
                        for name in names
                    ],
                    "mean": percent(mean_map(chosen.get(name, {}) for name in names)),
                }
            )
    protocols = [
        {**newest[name], "short": short_name(name), "conditions": conditions(newest[name])}
        for name in names
    ]
    return {
        "rows": rows,
        "protocols": protocols,
        "directions": [short_name(name) for name in names],
        "published": published(run),
    }


def published(run: RunRecord) -> Sequence[PublishedResult]:
    """Published rows of the run's data set; none for a synthetic set in its layout."""
    said = " ".join(str(r.get("verification", "")) for r in run.of_kind("run", own=True))
    root = Path(str(run.setting("data_dir") or ""))
    if "synthetic" in said or (root / MARKER).exists():
        return ()
    spec = known_spec(str(run.setting("dataset")))
    return spec.results if spec else ()


def comparison(runs: Sequence[RunRecord], titles: Sequence[str]) -> dict[str, Any]:
    """Last results of several runs, and the settings in which they differ."""
    finals = []
    for run in runs:
        stages = last_of_stages(run.of_kind("evaluation"))
        finals.append(list(stages.items())[-1] if stages else ("no evaluation", {}))
    names = list(dict.fromkeys(short_name(name) for _, found in finals for name in found))
    rows = []
    for title, (stage, found) in zip(titles, finals):
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
                "cells": cells,
                "mean": percent(mean_map(found.values())),
            }
        )
    settings = list(dict.fromkeys(name for run in runs for name in run.config))
    differing = [
        (name, [str(run.config.get(name, "not set")) for run in runs])
        for name in settings
        if len({str(run.config.get(name)) for run in runs}) > 1
    ]
    return {"names": names, "rows": rows, "settings": differing}


def run_titles(runs: Sequence[RunRecord]) -> list[str]:
    """Name of each run's folder, with as many of those above it as it takes to tell them apart."""
    parts = [run.path.resolve().parts for run in runs]
    for length in range(1, max(map(len, parts)) + 1):
        titles = ["/".join(part[-length:]) for part in parts]
        if len(set(titles)) == len(set(parts)):
            break
    return titles
