"""One self-contained HTML page about one or several runs, for people to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup, escape

from ..evaluation.results import HEADS, SCORES, percent
from ..files import write_whole
from .cluster_section import clusters, stored_clustering
from .curves import curves
from .feature_map import map_charts
from .headline import References, headline, last_evaluations, references_of, score_chart
from .html_page import render_page
from .results_section import comparison, results
from .retrieval_section import retrieval
from .run_facts import facts, folder_names, run_title, schedules, times
from .run_record import RunRecord, read_run


def write_report(run: Path | Sequence[Path], out: Path | None = None) -> Path:
    """Writes the page; it needs no network and no other file.

    What a run lacks (features, pictures, identities) becomes a sentence that says so. Several runs
    make one page: a table of their results and differing settings, then a part for each. Names from
    a run are text wherever they stand, and the page lets the browser run its own two scripts only.

    Args:
        run: one or several run folders.
        out: file to write; by default ``report.html`` in the run folder, or ``comparison.html`` in
            the first of several.

    Returns:
        The written file.

    Raises:
        FileNotFoundError: a folder is no run folder.
        UserError: an earlier version wrote it.
        ValueError: no folder is given, or a file in a run folder is malformed.
    """
    folders = [run] if isinstance(run, Path) else list(run)
    if not folders:
        raise ValueError("expected one run folder or more; got none")
    records = [read_run(folder) for folder in folders]
    single = len(records) == 1
    names = folder_names(records)
    page = render_page(
        "report.html.j2",
        {"percent": percent, "commands": _commands},
        title=run_title(records[0]) if single else f"{len(records)} runs: {', '.join(names)}",
        runs=[
            _view(record, records, name, "" if single else f"run-{number}-")
            for number, (record, name) in enumerate(zip(records, names), start=1)
        ],
        comparison=None if single else comparison(records, names),
        comparison_chart=score_chart([(n, last_evaluations(r)[1]) for n, r in zip(names, records)]),
        scores=[(score, HEADS[score]) for score in SCORES],
    )
    out = out or folders[0] / ("report.html" if single else "comparison.html")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page)
    return out


def _commands(sentence: str) -> Markup:
    """What stands between backticks, and flags, as code, so that no line breaks inside one."""

    def code(found: re.Match[str]) -> str:
        return f"<code>{found[1] or found[0]}</code>"

    return Markup(re.sub(r"`([^`]+)`|--[a-z-]+\w", code, str(escape(sentence))))


def _view(run: RunRecord, given: Sequence[RunRecord], name: str, prefix: str) -> dict[str, Any]:
    """All that the page shows of a run; ``prefix`` tells its anchors from those of other runs."""
    # Several runs are each other's references.
    references = references_of(run) if len(given) == 1 else References()
    clustering, cluster_notes = stored_clustering(run)
    drawn = curves(run)
    return {
        "name": name,
        "title": run_title(run),
        "prefix": prefix,
        **headline(run, references, given),
        "results": results(run),
        "charts": drawn.charts,
        "unlabelled_charts": drawn.unlabelled,
        "clusters": None if clustering is None else clusters(clustering),
        "cluster_notes": cluster_notes,
        "map": None if clustering is None else map_charts(clustering),
        "retrieval": retrieval(run),
        "facts": facts(run),
        "schedules": schedules(run),
        "times": times(run),
        "config": yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True)
        if run.config
        else "",
        "notes": _unfinished(run) + _notes(run) + references.notes,
    }


def _unfinished(run: RunRecord) -> list[str]:
    if not run.unfinished:
        return []
    return [
        f"This run is unfinished: {run.unfinished}. All that is shown is of the run so far; the "
        "command that began it goes on with it when --resume is added."
    ]


def _notes(run: RunRecord) -> list[str]:
    return run.notes + (_notes(run.baseline) if run.baseline else [])
