"""``vireid average``: mean and spread over finished runs, such as RegDB's trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import as_user_error
from ..files import write_whole
from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class AverageSettings(Options):
    """Which runs to average."""

    runs: list[Path] = option("run folders, for instance one for each trial of RegDB")
    output: Path | None = option("JSON file to write; without it, print only", None)


def run_average(config: AverageSettings) -> int:
    """Prints the table of means."""
    from ..reporting import average_runs

    with as_user_error(FileNotFoundError):
        averages = average_runs(config.runs)
    print(average_table(averages))
    if config.output is not None:
        config.output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(config.output, json.dumps(averages, indent=1) + "\n")
    return 0


def average_table(averages: Sequence[Mapping[str, Any]]) -> str:
    """What ``average_runs`` found as text: a line for each run, and the mean ± standard deviation.

    Lines have at most 100 characters, scores are in per cent.
    """
    from ..evaluation.results import (
        HEADS,
        TABLE_SCORES,
        WIDTH,
        conditions,
        percent,
        score_text,
        stage_name,
    )
    from ..reporting.average import TRIAL

    lines: list[str] = []
    for average in averages:
        runs = average["runs"]
        one_ranking = {**runs[0], "trials": runs[0].get("trials", 1)}
        lines += [
            f"{average['protocol']}: {stage_name(average['stage'])}, {len(runs)} runs",
            f"{_sizes(average) or 'sizes by run'}, rule {average['rule']}, "
            f"each run {conditions(one_ranking)}",
        ]
        label_width = WIDTH - 13 * len(TABLE_SCORES)
        lines.append(f"{'run':<{label_width}}" + "".join(f"{HEADS[s]:>13}" for s in TABLE_SCORES))
        lines.append("-" * len(lines[-1]))
        for run in runs:
            number = TRIAL.search(run["protocol"])
            sizes = "" if _sizes(average) else f", {_sizes(run)}"
            prefix, folder = f"trial {number[0]}{sizes}: " if number else "", run["run"]
            room = label_width - len(prefix) - 1
            if len(folder) > room:  # its end tells runs apart
                folder = "..." + folder[len(folder) - room + 3 :]
            label = prefix + folder
            cells = "".join(f"{percent(run.get(s)):>13}" for s in TABLE_SCORES)
            lines.append(f"{label:<{label_width}}{cells}")
        cells = "".join(f"{score_text(average, s):>13}" for s in TABLE_SCORES)
        lines += [f"{'mean±std':<{label_width}}{cells}", ""]
    return "\n".join(lines).rstrip()


def _sizes(record: Mapping[str, Any]) -> str:
    """Queries and gallery; empty of a mean over trials of several sizes."""
    sides = (record["query"], record["gallery"])
    return "" if None in sides else "{} x {}".format(*sides)
