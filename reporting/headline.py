"""The first screen of a run: its scores by stage beside its references, and what limits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..errors import UserError
from ..evaluation.results import Record, last_of_stages, mean_and_std, stage_name, table_footer
from .charts import bar_chart
from .limiting_part import ClusterFigures, Figures, Finding, limiting_part
from .run_record import RunRecord, read_run

# Folders beside a run that stand for what it is compared with (`scripts/demo_references.sh`).
BESIDE = {"control": "control: stage one goes on", "supervised": "supervised"}


@dataclass(frozen=True)
class References:
    """Runs on the same data that a run is shown beside.

    Attributes:
        runs: by name.
        notes: sentences about those that cannot be read.
    """

    runs: dict[str, RunRecord] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def references_of(run: RunRecord) -> References:
    """The runs in folders beside a run, as far as there are any on the same data set."""
    found = References()
    home = run.path.resolve()
    stages = {home, *(b.path.resolve() for b in _before(run))}
    for folder, name in BESIDE.items():
        path = home.parent / folder
        if path in stages or not (path / "metrics.jsonl").is_file():
            continue
        try:
            other = read_run(path)
        except (UserError, ValueError) as error:
            found.notes.append(f"{folder}, beside this run, is not shown: {error}")
            continue
        if other.of_kind("evaluation", own=True) and _on_same_data(run, other):
            found.runs[name] = other
    return found


def score_chart(
    scores: Sequence[tuple[str, dict[str, Record]]], like: Mapping[str, Record] | None = None
) -> Markup:
    """Mean mAP and Rank-1 over the protocols, a row for each name.

    Args:
        scores: evaluations by protocol, of each row.
        like: rows that were measured otherwise than this evaluation of each protocol are marked;
            None marks none.
    """
    title = "mAP and Rank-1"
    if like is not None:
        marks = table_footer([found for _, found in scores], like).marks
        scores = [
            (f"{name} *" if mark else name, found) for (name, found), mark in zip(scores, marks)
        ]
        title += ", * on another test or in another way than the newest" if any(marks) else ""
    values = {
        head: [_mean(found, score) for _, found in scores]
        for head, score in (("mean mAP", "mAP"), ("mean Rank-1", "rank1"))
    }
    names = [name for name, _ in scores]
    return bar_chart(names, values, title=title, unit="%", rows=True)


def headline(
    run: RunRecord, references: References, given: Sequence[RunRecord] = ()
) -> dict[str, Any]:
    """``chart`` by stage, with the references, and ``finding``, None where figures are missing.

    The run from labels is looked for among ``references`` and ``given``.
    """
    stages = last_of_stages(run.of_kind("evaluation"))
    shown = [(stage_name(stage), found) for stage, found in stages.items()]
    shown += [(name, last_evaluations(other)[1]) for name, other in references.runs.items()]
    others = [*references.runs.values(), *(one for one in given if one is not run)]
    like = {record["protocol"]: record for record in run.of_kind("evaluation")}
    return {"chart": score_chart(shown, like), "finding": _finding(run, others)}


def last_evaluations(run: RunRecord) -> tuple[str, dict[str, Record]]:
    """The last stage of a run that was evaluated, and its evaluations by protocol."""
    stages = last_of_stages(run.of_kind("evaluation"))
    return list(stages.items())[-1] if stages else ("no evaluation", {})


def _finding(run: RunRecord, others: Sequence[RunRecord]) -> Finding | None:
    stage, evaluated = last_evaluations(run)
    if stage == "supervised":
        return None
    labels = {r["modality"]: r for r in run.of_kind("pseudo_labels") if "modality" in r}
    names = ("ari_all", "noise", "purity", "clusters", "identities")
    clusters = tuple(
        ClusterFigures(modality, *(labels[modality][name] for name in names))
        for modality in ("visible", "infrared")
        if all(name in labels.get(modality, {}) for name in names)
    )
    match = next(iter(run.of_kind("matching")[::-1]), {})
    from_labels = [
        _mean(found, "mAP")
        for other in others
        if _on_same_data(run, other)
        for name, found in [last_evaluations(other)]
        if name == "supervised" and found.keys() == evaluated.keys()
    ]
    score, labelled = _mean(evaluated, "mAP"), next(iter(from_labels), None)
    return limiting_part(
        Figures(
            clusters if len(clusters) == 2 else (),
            match.get("accuracy"),
            labels.get("joint", {}).get("ari_all"),
            None if score is None else score / 100,
            None if labelled is None else labelled / 100,
        )
    )


def _mean(found: dict[str, Record], score: str) -> float | None:
    mean = mean_and_std([record.get(score) for record in found.values()])[0]
    return None if mean is None else 100 * mean


def _before(run: RunRecord) -> list[RunRecord]:
    return [] if run.baseline is None else [run.baseline, *_before(run.baseline)]


def _on_same_data(one: RunRecord, other: RunRecord) -> bool:
    folders = [Path(str(run.setting("data_dir") or "")).resolve() for run in (one, other)]
    names = ("dataset", "trial")
    return folders[0] == folders[1] and all(one.setting(n) == other.setting(n) for n in names)
