"""The section about retrieval: average precisions, similarities, thresholds, ranked lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..evaluation.protocols import Protocol, protocols_of
from ..evaluation.results import short_name
from .charts import distribution_chart
from .film_strip import film_strip
from .ranked_lists import DirectionScores, RankedList, ranked_lists, score_direction
from .run_record import RunRecord, read_test_features, read_test_tracks
from .thresholds import RATES, false_match_thresholds, pair_similarities

LONG_NAMES = {"v2i": "visible query, infrared gallery", "i2v": "infrared query, visible gallery"}


def retrieval(run: RunRecord) -> dict[str, Any]:
    """``pairs`` (None without any), ``directions``, and ``notes`` about what is missing.

    Nothing here is re-ranked; a note says so where the run's evaluation was.
    """
    nothing: dict[str, Any] = {"pairs": None, "directions": []}
    try:
        dataset = read_test_tracks(run)
        features, keys = read_test_features(run)
        names = str(run.setting("protocol") or "")
        gallery = "official" if run.setting("gallery") == "official" else "seeded"
        directions = one_each(protocols_of(dataset, names, gallery=gallery))
    except FileNotFoundError as error:
        note = f"No ranked lists: {error}. They come with the evaluation at the end of a run."
        return {**nothing, "notes": [note]}
    except ValueError as error:
        return {**nothing, "notes": [f"No ranked lists: {error}."]}
    notes: list[str] = []
    if not dataset.root.is_dir():
        notes.append(
            f"The data folder {dataset.root} is not there, so the ranked lists show the names of "
            "the tracks instead of their frames."
        )
    ranked: list[DirectionScores] = []
    for protocol in directions:
        try:
            scored = score_direction(protocol, features, keys)
        except ValueError as error:
            notes.append(f"No ranked lists for {protocol.name}: {error}.")
            continue
        if bool(scored.scores.valid.any()):
            ranked.append(scored)
        else:
            notes.append(f"No ranked lists for {protocol.name}: no query has a match left.")
    evaluated = run.of_kind("evaluation", own=True)
    if ranked and evaluated and evaluated[-1].get("rerank"):
        notes.append(
            "The results of this run are re-ranked; the lists, the charts and the thresholds here "
            "are of the ranking before re-ranking."
        )
    return {
        "pairs": _pairs_view(ranked) if ranked else None,
        "directions": [_direction_view(scored) for scored in ranked],
        "notes": notes,
    }


def one_each(found: list[Protocol]) -> list[Protocol]:
    """The first protocol of each direction; of several trials the first."""
    first: dict[str, Protocol] = {}
    for protocol in found:
        first.setdefault(protocol.direction, protocol)
    return [protocol.one_trial() for protocol in first.values()]


def _direction_view(scored: DirectionScores) -> dict[str, Any]:
    protocol = scored.protocol
    name = short_name(protocol.name)
    return {
        "title": f"{name}: {LONG_NAMES.get(protocol.direction, '')}",
        "rule": protocol.rule,
        "sizes": f"{len(protocol.query)} queries, {len(protocol.gallery)} gallery tracks",
        "lists": [_list_view(ranked) for ranked in ranked_lists(scored)],
    }


def _pairs_view(scored: Sequence[DirectionScores]) -> dict[str, Any]:
    """Charts and thresholds over the pairs of all directions, those of both counted once."""
    precisions = {short_name(one.protocol.name): one.average_precisions for one in scored}
    found = [pair_similarities(one) for one in scored if not _repeats(one, scored[0])]
    same, different = (np.concatenate(parts) for parts in zip(*found))
    points = false_match_thresholds(same, different)
    return {
        "charts": [
            distribution_chart(
                precisions,
                title="Average precision of the queries",
                x_label="average precision",
                unit="% of the queries",
                limits=(0.0, 1.0),
                bins=20,
            ),
            distribution_chart(
                {"same person": same, "different people": different},
                title="Similarity of the pairs",
                x_label="similarity of query and gallery",
                unit="% of the pairs",
                marks=[(f"{100 * point.wanted:g} %", point.threshold) for point in points],
            ),
        ],
        "pairs": f"{len(same):,} pairs of one person, {len(different):,} of two"
        + (", the same from either side" if len(found) < len(scored) else ""),
        "thresholds": points,
        "missing_rates": [rate for rate in RATES if rate not in {p.wanted for p in points}],
    }


def _repeats(one: DirectionScores, first: DirectionScores) -> bool:
    """Whether a direction has the first one's pairs, seen from the other side."""
    query, gallery = ({t.key for t in side} for side in (one.protocol.query, one.protocol.gallery))
    before = first.protocol
    return (
        one is not first
        and one.protocol.rule == before.rule
        and query == {track.key for track in before.gallery}
        and gallery == {track.key for track in before.query}
    )


def _list_view(ranked: RankedList) -> dict[str, Any]:
    return {
        "ranked": ranked,
        "strip": film_strip(ranked.query),
        "items": [(item, film_strip(item.track)) for item in ranked.items],
    }
