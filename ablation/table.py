"""The table of an ablation: Markdown that reads well on a terminal, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UserError
from .measures import SCORES, measure, spread
from .variants import Cell, Job

CONTROL = "continued"
HEADS = {
    "mAP": "mAP",
    "rank1": "Rank-1",
    "gain": "over control",
    "accuracy": "match right",
    "precision": "match precision",
    "recall": "match recall",
    "ari": "ARI",
}
NOTE = """\
Per cent (ARI: 0 to 1), mean ± sample standard deviation over the seeds; where runs repeat with
another rounding, over the seeds' means, and in brackets the deviation within a seed. mAP and
Rank-1: mean over the protocols (both directions; SYSU-MM01: all-search and indoor), after the last
step. Steps: of stage one + of the row; clips: seen in the row's own steps. Match: of the last
matching, counted over visible clusters: right ones among all, among the matched (precision), among
those that have a right partner at all (recall). ARI: of the last labels of both modalities, without
noise."""


def summarise(cells: Sequence[Cell], failed: dict[Job, str]) -> list[dict[str, Any]]:
    """One entry for each row (and value), in the order of the cells.

    Args:
        cells: what was planned.
        failed: what went wrong; a job that is neither finished nor here has yet to run. One whose
            record cannot be read is added.

    Returns:
        Dicts that go into ``ablation.json``: name, title, runs with their figures, ``mean``
        (of the seeds' means), ``std`` (of these) and ``within`` (of the repetitions of a seed) of
        those that finished. ``gain`` is the mAP above that of the control of the same seed and
        repetition.
    """
    measured: dict[Job, dict[str, Any]] = {}
    for cell in cells:
        job = cell.job
        if job not in measured and job.finished:
            try:
                measured[job] = measure(job.folder, job.before.folder if job.before else None)
            except (UserError, ValueError, OSError) as error:  # of one run; the others are shown
                failed[job] = f"its record cannot be read: {error}"
    control = {
        (cell.over, cell.seed, cell.repeat): measured[cell.job]["mAP"]
        for cell in cells
        if cell.row.name == CONTROL and cell.job in measured
    }
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in cells:
        entry = entries.setdefault(
            (cell.over, cell.row.name),
            {"over": cell.over, "name": cell.row.name, "title": cell.row.title, "runs": []},
        )
        run: dict[str, Any] = {"seed": cell.seed, "repeat": cell.repeat}
        run["folder"] = str(cell.job.folder)
        if cell.job in measured:
            run |= measured[cell.job]
            other = control.get((cell.over, cell.seed, cell.repeat))
            known = cell.row.name != CONTROL and None not in (other, run["mAP"])
            run["gain"] = run["mAP"] - other if known else None
        else:
            run["problem"] = failed.get(cell.job, "not yet run")
        entry["runs"].append(run)
    for entry in entries.values():
        entry["mean"], entry["std"], entry["within"] = {}, {}, {}
        for name in (*SCORES, "gain"):
            values: dict[int, list[float]] = {}
            for run in entry["runs"]:
                if run.get(name) is not None:
                    values.setdefault(run["seed"], []).append(run[name])
            if values:
                found = spread(values)
                entry["mean"][name], entry["std"][name] = found.mean, found.between
                entry["within"][name] = found.within
    return list(entries.values())


def markdown(entries: Sequence[Mapping[str, Any]], over: str) -> str:
    """The table, below it what the columns mean and what went wrong.

    Args:
        entries: of :func:`summarise`.
        over: name of the second placeholder, empty without.

    Returns:
        Markdown whose columns are aligned.
    """
    used = [name for name in HEADS if any(name in entry["mean"] for entry in entries)]
    heads = ["row", "seeds", "steps", "clips", *(HEADS[name] for name in used)]
    rows = [_cells(entry, used) for entry in entries]
    if over:
        heads.insert(0, over)
        for row, entry in zip(rows, entries):
            row.insert(0, entry["over"])
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    # All but the names is aligned to the right.
    left = 2 if over else 1

    def line(values: Sequence[str]) -> str:
        padded = [
            value.ljust(width) if number < left else value.rjust(width)
            for number, (value, width) in enumerate(zip(values, widths))
        ]
        return "| " + " | ".join(padded) + " |"

    rule = [
        "-" * width if number < left else "-" * (width - 1) + ":"
        for number, width in enumerate(widths)
    ]
    lines = [line(heads), line(rule), *map(line, rows), "", NOTE]
    problems = [
        f"- {over + ' ' + entry['over'] + ', ' if over else ''}{entry['title']}, seed "
        f"{run['seed']}{', repeat ' * bool(run['repeat'])}{run['repeat'] or ''}: "
        f"{' '.join(run['problem'].split())}"
        for entry in entries
        for run in entry["runs"]
        if "problem" in run
    ]
    if problems:
        lines += ["", "Without a result:", "", *problems]
    return "\n".join(lines) + "\n"


def _cells(entry: Mapping[str, Any], used: Sequence[str]) -> list[str]:
    done = [run for run in entry["runs"] if "problem" not in run]
    wanted, seeds = len(entry["runs"]), len({run["seed"] for run in entry["runs"]})
    count = str(seeds) if seeds == wanted else f"{seeds} x {wanted // seeds}"
    return [
        entry["title"],
        count if len(done) == wanted else f"{len(done)}/{wanted}",
        _range([_steps(run) for run in done]),
        _range([f"{run['clips']:,}" for run in done]),
        *(_score(entry, name) for name in used),
    ]


def _steps(run: Mapping[str, Any]) -> str:
    return f"{run['steps_before']} + {run['steps']}" if run["steps_before"] else str(run["steps"])


def _range(values: Sequence[str]) -> str:
    """The value that all seeds share; several of them where they differ."""
    return " / ".join(dict.fromkeys(values)) or "-"


def _score(entry: Mapping[str, Any], name: str) -> str:
    if name not in entry["mean"]:
        return "-"
    scale, digits = (1, 3) if name == "ari" else (100, 1)
    sign = "+" if name == "gain" else ""
    text = f"{scale * entry['mean'][name]:{sign}.{digits}f}"
    between, within = entry["std"][name], entry["within"][name]
    text += "" if between is None else f" ± {scale * between:.{digits}f}"
    return text if within is None else f"{text} ({scale * within:.{digits}f})"
