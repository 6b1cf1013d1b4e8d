"""The answers of a search as a table, as JSON lines, and as a page of film strips."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..page_templates import page_templates
from ..reading import visible
from .moments import written
from .search import Answer, Candidate, Query

TEMPLATES = Path(__file__).parent / "templates"


def json_lines(answer: Answer) -> list[str]:
    """A line for each candidate.

    Args:
        answer: of one query.
    """
    return [
        json.dumps(
            {
                "query": answer.query.key,
                "rank": one.rank,
                "key": one.key,
                "camera": one.camera,
                "modality": one.modality.name.lower(),
                "score": round(one.score, 6),
                "decision": one.decision,
            },
            ensure_ascii=False,
        )
        for one in answer.candidates
    ]


def table(answer: Answer) -> str:
    """The candidates of one query in columns.

    Args:
        answer: of one query.
    """
    query = answer.query
    facts = [query.modality.name.lower(), query.camera, written(query.start)]
    head = f"{query.key} ({', '.join(fact for fact in facts if fact)})"
    if not answer.candidates:
        return visible(f"{head}: no candidate is left after the filters")
    rows = [("rank", "score", "decision", "camera", "modality", "time", "key")]
    rows += [
        (
            str(one.rank),
            f"{one.score:.4f}",
            one.decision or "-",
            one.camera,
            one.modality.name.lower(),
            written(one.start) or "-",
            one.key,
        )
        for one in answer.candidates
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]])
        for row in rows
    ]
    return visible("\n".join([f"{head}, among {answer.searched:,}", *lines]))


def page(answers: Sequence[Answer], title: str, notes: Sequence[str]) -> str:
    """One HTML page with the film strips; it needs no network and no other file, and runs nothing.

    Args:
        answers: of all queries.
        title: of the page.
        notes: sentences above the answers, on the statement that a decision makes for instance.
    """
    shown = [
        {
            "number": number,
            "query": _view(one.query),
            "searched": f"{one.searched:,}",
            "candidates": [_view(candidate) for candidate in one.candidates],
        }
        for number, one in enumerate(answers, start=1)
    ]
    named = [
        view
        for view, one in zip(shown, answers)
        if any(candidate.decision == "same" for candidate in one.candidates)
    ]
    template = page_templates(TEMPLATES).get_template("answers.html.j2")
    return template.render(title=title, notes=list(notes), answers=shown, named=named)


def _view(shown: Query | Candidate) -> dict[str, Any]:
    view: dict[str, Any] = {
        "key": visible(shown.key),
        "camera": visible(shown.camera),
        "modality": shown.modality.name.lower(),
        "time": written(shown.start),
        "picture": base64.b64encode(shown.thumbnail).decode("ascii"),
    }
    if isinstance(shown, Candidate):
        view |= {
            "rank": shown.rank,
            "score": f"{shown.score:.3f}",
            "decision": shown.decision or "",
        }
    return view
