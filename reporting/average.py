"""The mean over several finished runs: RegDB's ten trials, or seeds of one recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.results import SCORES, last_of_stages, mean_and_std
from .run_record import RunRecord, read_run

SIZES = ("query", "gallery")
SAME = ("stage", "rule", "flip", "rerank", "gallery_kind")
TRIAL = re.compile(r"(?<=/trial-)\d+(?=/)")  # of a data set with numbered splits


def average_runs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Mean and standard deviation over runs of each one's last evaluation.

    The trials of one direction become one protocol, such as ``regdb/trial-*/v2t``.

    Args:
        paths: run folders of finished runs, at least two.

    Returns:
        For each protocol a dict with ``protocol``, ``stage``, ``rule``, ``flip``, ``rerank``,
        ``gallery_kind``, ``query`` and ``gallery`` (None where the trials differ in size), the mean
        scores, ``std`` by score, ``trials`` (the number of runs) and ``runs``: the records that
        were averaged, each with its folder as ``run``.

    Raises:
        FileNotFoundError: a folder is no run folder.
        ValueError: fewer than two runs, a training that has not ended, a run without an
            evaluation, runs that are not comparable, or a run or a trial that counts twice.
    """
    if len({path.resolve() for path in paths}) < max(2, len(paths)):
        raise ValueError(
            f"a mean needs at least two different runs; got {', '.join(map(str, paths)) or 'none'}"
        )
    groups: dict[str, list[dict[str, Any]]] = {}
    ranked: dict[Path | tuple[float, ...], Path] = {}
    for path in paths:
        run = read_run(path)
        if run.unfinished:  # with --test-interval it has scores, of an epoch in its midst
            raise ValueError(
                f"{path}: expected a finished run, found that {run.unfinished}. Go on with it by "
                "the command that began it and --resume, or leave it out."
            )
        records = run.of_kind("evaluation", own=True)
        if not records:
            raise ValueError(
                f"{path} holds no evaluation: a run without known identities has none, nor has "
                "one that failed at its start. Leave it out."
            )
        twins = [ranked.setdefault(key, path) for key in (_trained_run(run), _times(run)) if key]
        if twin := next((one for one in twins if one != path), None):
            raise ValueError(
                f"{twin} and {path} are of one training, which would count twice: expected "
                "different trainings, or one evaluation of each. Leave one of the two out."
            )
        last = list(last_of_stages(records).values())[-1]
        for name, record in last.items():
            groups.setdefault(TRIAL.sub("*", name), []).append({**record, "run": str(path)})
    return [_average(name, records, paths) for name, records in groups.items()]


def _trained_run(run: RunRecord) -> Path:
    """Folder of the training whose network was ranked, or the network's file if it lies in none."""
    named, home = run.config.get("checkpoint"), run.path.resolve()
    if not named:
        return home
    # As given to `vireid evaluate`; a relative path began somewhere above what that has written,
    # and still does where all was moved together.
    for start in (*home.parents, Path()):
        file = start / str(named)
        for folder in (file, file.parent):
            if file.exists() and (folder / "metrics.jsonl").is_file():
                return folder.resolve()
    return Path(str(named)).resolve()


def _times(run: RunRecord) -> tuple[float, ...]:
    """Seconds of each epoch: no two trainings take the same, so a copied folder is known by it."""
    return tuple(r["seconds"] for r in run.of_kind("train", own=True) if "seconds" in r)


def _average(name: str, records: Sequence[dict[str, Any]], paths: Sequence[Path]) -> dict[str, Any]:
    without = sorted({str(path) for path in paths} - {record["run"] for record in records})
    if without:
        raise ValueError(
            f"{without[0]} was not evaluated under {name}, as {records[0]['run']} was; evaluate "
            "all runs alike, with the same --protocol"
        )
    first = records[0]
    for record in records[1:]:
        for key in SAME:
            if record.get(key) != first.get(key):
                raise ValueError(
                    f"{name}: the runs are not comparable: {key} is {first.get(key)} in "
                    f"{first['run']} and {record.get(key)} in {record['run']}"
                )
    seen: dict[str, dict[str, Any]] = {}
    for record in records:
        twin = seen.setdefault(record["protocol"], record)
        if twin is record:
            continue
        if len({r["protocol"] for r in records}) > 1:
            raise ValueError(
                f"{record['protocol']} counts twice, from {twin['run']} and {record['run']}: the "
                "mean over the trials takes one run for each"
            )
        # Seeds of one protocol rank the same tracks. Trials rank different people, who may have
        # more or fewer images, so those are averaged, and each is shown with its sizes.
        if any(record[side] != twin[side] for side in SIZES):
            raise ValueError(
                f"{name}: the runs were not evaluated on the same data: {twin['query']} queries x "
                f"{twin['gallery']} gallery tracks in {twin['run']}, {record['query']} x "
                f"{record['gallery']} in {record['run']}. Evaluate the networks on one data set "
                "(`vireid evaluate --checkpoint RUN --output FOLDER`) and average those folders."
            )
    alike = all(record[side] == first[side] for record in records for side in SIZES)
    spread = {s: mean_and_std([record.get(s) for record in records]) for s in SCORES}
    return {
        "protocol": name,
        **{key: first.get(key) for key in SAME},
        **{side: first[side] if alike else None for side in SIZES},
        "trials": len(records),
        **{score: mean for score, (mean, _) in spread.items()},
        "std": {score: std for score, (_, std) in spread.items()},
        "runs": list(records),
    }
