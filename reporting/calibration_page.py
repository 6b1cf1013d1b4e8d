"""The page of a calibration: tables of thresholds, detection-error trade-off, what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..files import write_whole
from .calibration_table import (
    RATES,
    counts_sentence,
    direction_title,
    meaning,
    percent,
    rate_with_interval,
    vectors_sentence,
)
from .charts import Series, trade_off_chart
from .html_page import render_page


def write_calibration_page(record: Mapping[str, Any], out: Path) -> Path:
    """Writes the page; it needs no network and no other file.

    Args:
        record: what ``calibration.json`` holds.
        out: file to write.

    Returns:
        ``out``.
    """
    directions = record["directions"]
    whole = [_view(one) for one in directions if one["query_camera"] is None]
    pairs = [_view(one) for one in directions if one["query_camera"] is not None]
    page = render_page(
        "calibration.html.j2",
        {"percent": percent, "rate": rate_with_interval},
        record=record,
        vectors=vectors_sentence(record),
        meaning=meaning(record),
        whole=whole,
        pairs=pairs,
        rates=RATES,
        charts=[chart for chart in _charts(directions) if chart],
    )
    write_whole(out, page)
    return out


def _view(direction: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "title": direction_title(direction),
        "counts": counts_sentence(direction),
        "points": direction["thresholds"],
        "unreachable": direction["unreachable"],
    }


def _charts(directions: list[Mapping[str, Any]]) -> list[Markup]:
    """Pairs and searches of all directions that have a curve."""
    # Tracklets of unknown people have a curve of false matches alone.
    drawn = [one for one in directions if "fpir" in one.get("curve", {})]
    pairs = [
        _series(
            f"{one['query']} and {one['gallery']}",
            one["curve"],
            one["curve"]["fmr"],
            one["curve"]["fnmr"],
        )
        for place, one in enumerate(drawn)
        # The pairs of a direction are those of the one back.
        if (one["gallery"], one["query"]) not in {_sides(other) for other in drawn[:place]}
    ]
    charts = [
        trade_off_chart(
            pairs,
            title="Pairs: detection-error trade-off",
            x_label="FMR, %",
            y_label="FNMR, %",
        )
    ]
    for one in drawn:
        curve = one["curve"]
        searches = [
            _series(f"N = {int(size):,}", curve, curve["fpir"][size], curve["fnir"][size])
            for size in curve["fpir"]
        ]
        charts.append(
            trade_off_chart(
                searches,
                title=f"Searches: {direction_title(one)}",
                x_label="FPIR, %",
                y_label="FNIR, %",
            )
        )
    return charts


def _sides(direction: Mapping[str, Any]) -> tuple[str, str]:
    return direction["query"], direction["gallery"]


def _series(
    name: str, curve: Mapping[str, Any], wrong: list[float | None], missed: list[float | None]
) -> Series:
    points = [(100 * (x or 0), None if y is None else 100 * y) for x, y in zip(wrong, missed)]
    texts = [
        f"{name}: threshold {threshold:.4f}, {percent(x or 0)} and {percent(y or 0)}"
        for threshold, x, y in zip(curve["threshold"], wrong, missed)
    ]
    return Series(name, points, texts)
