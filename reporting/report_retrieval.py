"""Ranked lists, average precisions and thresholds of a run, as the page shows them."""

from __future__ import annotations

from typing import Any, Literal

from ..evaluation.protocols import Protocol, protocols_of
from ..evaluation.results import short_name
from .charts import histogram
from .distribution_charts import two_distributions
from .film_strip import film_strip
from .ranked_lists import DirectionScores, RankedList, ranked_lists, score_direction
from .run_record import RunRecord, read_test_features, read_test_tracks
from .thresholds import RATES, false_match_thresholds, pair_similarities

LONG_NAMES = {
    "v2i": "visible query, infrared gallery",
    "i2v": "infrared query, visible gallery",
}


def retrieval(run: RunRecord) -> tuple[list[dict[str, Any]], list[str]]:
    """Views of both directions, and sentences about what is missing."""
    notes: list[str] = []
    try:
        dataset = read_test_tracks(run)
        features, keys = read_test_features(run)
        names = str(run.setting("protocol") or "")
        gallery: Literal["seeded", "official"] = (
            "official" if run.setting("gallery") == "official" else "seeded"
        )
        directions = one_each(protocols_of(dataset, names, gallery=gallery))
    except FileNotFoundError as error:
        return [], [f"No ranked lists: {error}. They come with the evaluation at the end of a run."]
    except ValueError as error:
        return [], [f"No ranked lists: {error}."]
    if not dataset.root.is_dir():
        notes.append(
            f"The data folder {dataset.root} is not there, so the ranked lists show the names of "
            "the tracks instead of their frames."
        )
    views: list[dict[str, Any]] = []
    for protocol in directions:
        try:
            scored = score_direction(protocol, features, keys)
        except ValueError as error:
            notes.append(f"No ranked lists for {protocol.name}: {error}.")
            continue
        if not bool(scored.scores.valid.any()):
            notes.append(f"No ranked lists for {protocol.name}: no query has a match left.")
            continue
        views.append(_direction_view(scored, len(views)))
    return views, notes


def one_each(found: list[Protocol]) -> list[Protocol]:
    """The first protocol of each direction; of several trials the first."""
    first: dict[str, Protocol] = {}
    for protocol in found:
        first.setdefault(protocol.direction, protocol)
    return [protocol.one_trial() for protocol in first.values()]


def _direction_view(scored: DirectionScores, number: int) -> dict[str, Any]:
    protocol = scored.protocol
    name = short_name(protocol.name)
    same, different = pair_similarities(scored)
    points = false_match_thresholds(same, different)
    pairs = f"{len(same):,} pairs of one person, {len(different):,} of two"
    marks = [(point.threshold, f"{100 * point.wanted:g} %") for point in points]
    return {
        "title": f"{name}: {LONG_NAMES.get(protocol.direction, '')}",
        "rule": protocol.rule,
        "sizes": f"{len(protocol.query)} queries, {len(protocol.gallery)} gallery tracks",
        "histogram": histogram(
            scored.average_precisions,
            title=f"Average precision, {name}",
            x_label="average precision",
            colour=number,
        ),
        "similarities": two_distributions(
            {"same person": same, "different people": different},
            title=f"Similarity, {name}",
            x_label="similarity of query and gallery",
            marks=marks,
        ),
        "name": name,
        "pairs": pairs,
        "thresholds": points,
        "missing_rates": [rate for rate in RATES if rate not in {p.wanted for p in points}],
        "lists": [_list_view(ranked) for ranked in ranked_lists(scored)],
    }


def _list_view(ranked: RankedList) -> dict[str, Any]:
    return {
        "ranked": ranked,
        "strip": film_strip(ranked.query),
        "items": [(item, film_strip(item.track)) for item in ranked.items],
    }
