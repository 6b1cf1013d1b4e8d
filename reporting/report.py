"""One self-contained HTML page about one or several runs, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import yaml

from ..evaluation.results import HEADS, SCORES, percent
from ..files import write_whole
from .curves import curves
from .report_clusters import clusters, embedding, stored_clustering
from .report_facts import comparison, facts, results, run_titles, times
from .report_retrieval import retrieval
from .run_record import RunRecord, read_run

TEMPLATES = Path(__file__).parent / "templates"


def write_report(run: Path | Sequence[Path], out: Path | None = None) -> Path:
    """Writes the page; it needs no network and no other file.

    What a run lacks (features, pictures, identities) becomes a sentence that says so. Several runs
    make one page: a table of their results and differing settings, then a part for each.

    Args:
        run: one or several run folders.
        out: file to write; by default ``report.html`` in the run folder, or ``comparison.html`` in
            the first of several.

    Returns:
        The written file.

    Raises:
        FileNotFoundError: a folder is no run folder.
        ValueError: no folder is given, or a file in a run folder is malformed.
    """
    folders = [run] if isinstance(run, Path) else list(run)
    if not folders:
        raise ValueError("expected one run folder or more; got none")
    records = [read_run(folder) for folder in folders]
    single = len(records) == 1
    titles = run_titles(records)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    page = environment.get_template("report.html.j2").render(
        title=titles[0] if single else f"{len(records)} runs",
        runs=[
            _view(record, title, "" if single else f"run-{number}-")
            for number, (record, title) in enumerate(zip(records, titles), start=1)
        ],
        comparison=None if single else comparison(records, titles),
        scores=[(score, HEADS[score]) for score in SCORES],
    )
    out = out or folders[0] / ("report.html" if single else "comparison.html")
    write_whole(out, page)
    return out


def _view(run: RunRecord, title: str, prefix: str) -> dict[str, Any]:
    """All that the page shows of a run; ``prefix`` tells its anchors from those of other runs."""
    views, retrieval_notes = retrieval(run)
    clustering, cluster_notes = stored_clustering(run)
    drawn = curves(run)
    return {
        "name": title,
        "prefix": prefix,
        "facts": facts(run),
        "config": yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True)
        if run.config
        else "",
        "times": times(run),
        "results": results(run),
        "charts": drawn.charts,
        "unlabelled_charts": drawn.unlabelled,
        "clusters": None if clustering is None else clusters(clustering),
        "embedding": None if clustering is None else embedding(clustering),
        "cluster_notes": cluster_notes,
        "retrieval": views,
        "retrieval_notes": retrieval_notes,
        "notes": _notes(run),
    }


def _notes(run: RunRecord) -> list[str]:
    return run.notes + (_notes(run.baseline) if run.baseline else [])
