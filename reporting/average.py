"""The mean over several finished runs: RegDB's ten trials, or seeds of one recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.results import SCORES, last_of_stages, mean_and_std
from .run_record import read_run

SAME = ("stage", "rule", "flip", "rerank", "gallery_kind")
TRIAL = re.compile(r"(?<=/trial-)\d+(?=/)")  # of a data set with numbered splits


def average_runs(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Mean and standard deviation over runs of each one's last evaluation.

    The trials of one direction become one protocol, such as ``regdb/trial-*/v2t``.

    Args:
        paths: run folders of finished runs, at least two.

    Returns:
        For each protocol a dict with ``protocol``, ``stage``, ``rule``, ``flip``, ``rerank``,
        ``gallery_kind``, ``query``, ``gallery``, the mean scores, ``std`` by score, ``trials`` (the
        number of runs) and ``runs``: the records that were averaged, each with its folder as
        ``run``.

    Raises:
        FileNotFoundError: a folder is no run folder.
        ValueError: fewer than two runs, a run without an evaluation, runs that are not comparable,
            or a trial that counts twice.
    """
    if len({path.resolve() for path in paths}) < max(2, len(paths)):
        raise ValueError(
            f"a mean needs at least two different runs; got {', '.join(map(str, paths)) or 'none'}"
        )
    groups: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        records = read_run(path).of_kind("evaluation", own=True)
        if not records:
            raise ValueError(f"{path} holds no evaluation; an unfinished run has none yet")
        last = list(last_of_stages(records).values())[-1]
        for name, record in last.items():
            groups.setdefault(TRIAL.sub("*", name), []).append({**record, "run": str(path)})
    return [_average(name, records, paths) for name, records in groups.items()]


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
    seen: dict[str, str] = {}
    for record in records:
        twin = seen.setdefault(record["protocol"], record["run"])
        if twin != record["run"] and len({r["protocol"] for r in records}) > 1:
            raise ValueError(
                f"{record['protocol']} counts twice, from {twin} and {record['run']}: the mean "
                "over the trials takes one run for each"
            )
    spread = {s: mean_and_std([record.get(s) for record in records]) for s in SCORES}
    return {
        "protocol": name,
        **{key: first.get(key) for key in SAME},
        "query": first["query"],
        "gallery": first["gallery"],
        "trials": len(records),
        **{score: mean for score, (mean, _) in spread.items()},
        "std": {score: std for score, (_, std) in spread.items()},
        "runs": list(records),
    }
