"""What was run: the title, the facts, the schedule and the times of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..datasets.synthetic_mark import MARKER
from ..evaluation.results import Record, stage_name
from .run_record import RunRecord
from .schedule_table import HEADS, schedule_remarks, schedule_rows


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
        ("Number formats", _precision(first)),
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


def _precision(first: Record) -> str | None:
    """What ``auto`` came to, too."""
    training = first.get("training_precision")
    return training and f"{training} in training, {first.get('test_precision')} in tests"


def _batch(run: RunRecord, first: Record) -> str:
    """Effective batch and batch-norm batch, as far as they are recorded or follow from settings."""
    ids, each = run.config.get("p_num"), run.config.get("k_num")
    parts = [f"{ids} identities or clusters x {each} clips"] if ids and each else []
    for name, text in (
        ("batch", "{} clips in all"),
        ("bn_batch", "batch norm over {} clips"),
        ("accumulate", "gradients of {} passes added up"),
    ):
        value = first.get(name, run.config.get(name))
        if value not in (None, 1, ""):
            parts.append(text.format(value))
    return ", ".join(parts)


def schedules(run: RunRecord) -> list[dict[str, Any]]:
    """What each stage of the run did by epoch: remarks and a table."""
    return [
        {
            "stage": stage_name(record["stage"]),
            "remarks": schedule_remarks(record),
            "heads": HEADS,
            "rows": [[row[head] for head in HEADS] for row in schedule_rows(record)],
        }
        for record in run.of_kind("schedule")
    ]


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


def run_title(run: RunRecord) -> str:
    """What a run is: data set, network and seed."""
    synthetic = "synthetic " if is_synthetic(run) else ""
    parts = [f"{synthetic}{run.setting('dataset') or run.path.resolve().name}"]
    last = next(iter(run.of_kind("evaluation", own=True)[::-1]), {})
    if "stage" in last:
        parts.append(stage_name(last["stage"]))
    network = [str(run.config[name]) for name in ("network", "backbone") if run.config.get(name)]
    if network:
        parts.append(" ".join(network))
    if run.setting("seed") is not None:
        parts.append(f"seed {run.setting('seed')}")
    return ", ".join(parts)


def folder_names(runs: Sequence[RunRecord]) -> list[str]:
    """Name of each run's folder, with as many of those above it as it takes to tell them apart."""
    parts = [run.path.resolve().parts for run in runs]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(set(parts)):
            break
    return names


def is_synthetic(run: RunRecord) -> bool:
    """Whether the run's data were rendered, perhaps in the layout of a real set."""
    said = " ".join(str(r.get("verification", "")) for r in run.of_kind("run", own=True))
    root = Path(str(run.setting("data_dir") or ""))
    return "synthetic" in said or (root / MARKER).exists()
