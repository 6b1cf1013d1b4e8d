"""Charts of the report: what Chart.js (vendored, MIT) is to draw, as JSON inside a figure.

Tried: a page of 15 line charts in Chromium. Chart.js 0.26 MB, all drawn after 0.4 s; ECharts 0.55
MB, 0.5 s; pygal 0.75 MB, 0.6 s, its tooltips come from a site; Altair 1.0 MB, 102 MB of packages;
Bokeh 4.0 MB (1.3 MB its core), 2.0 s, 45 MB of packages; Plotly 5.0 MB, 1.5 s. Bokeh and Plotly fix
the colours when the page is written; here they are those of the page, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from numpy.typing import ArrayLike

MOST_BARS = 24
MOST_POINTS = 1500


@dataclass(frozen=True)
class Series:
    """One line, or one group of points.

    Attributes:
        name: for the legend and the pointer.
        points: (x, y); a line breaks where y is None.
        texts: what the pointer shows at each point; without, the name and the value.
        colour: name of a colour of the page's style; by default that of the series' place.
        shape: ``circle``, ``rect`` (open), ``rectRot`` or ``crossRot`` (a cross), for points.
    """

    name: str
    points: Sequence[tuple[float, float | None]]
    texts: Sequence[str] = ()
    colour: str | None = None
    shape: str = "circle"


class Band(NamedTuple):
    """A named stretch of the x axis, for instance a training stage."""

    name: str
    start: float
    stop: float


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "epoch",
    unit: str = "",
    bands: Sequence[Band] = (),
) -> Markup:
    """Several lines with a legend; those without points are left out. Empty if there is no point.

    ``bands`` are stretches of the x axis that are named at the top, from the first value on.
    """
    given = [line for line in series if line.points]
    first = min((x for line in given for x, _ in line.points), default=0.0)
    shown = [band for band in bands if band.stop >= first and band.stop > band.start]
    low = min((band.start for band in shown), default=None)
    high = max((band.stop for band in shown), default=None)
    return _figure(
        "lines",
        title,
        [_described(line) for line in given],
        unit=unit,
        x=x_label,
        bands=shown,
        range={"x": {"min": low, "max": high}} if shown else None,
        height=None if len(given) < 5 else 220 + 12 * len(given),  # the legend takes its part
    )


def trade_off_chart(series: Sequence[Series], *, title: str, x_label: str, y_label: str) -> Markup:
    """Error rates against each other, in per cent on logarithmic axes; empty without a point.

    Args:
        series: points of rates above 0; others are left out, since they have no logarithm.
        title, x_label, y_label: of the chart and its axes.
    """
    given = []
    for line in series:
        kept = [place for place, (x, y) in enumerate(line.points) if x > 0 and (y or 0) > 0]
        points = [line.points[place] for place in kept]
        texts = [line.texts[place] for place in kept] if line.texts else ()
        if points:
            given.append(Series(line.name, points, texts, line.colour))
    axis = {"type": "logarithmic", "beginAtZero": False}
    return _figure(
        "lines",
        title,
        [_described(line) for line in given],
        x=x_label,
        y=y_label,
        unit="%",
        range={"x": axis, "y": axis},
        legend=True,
        height=330,
    )


def bar_chart(
    categories: Sequence[str],
    values: Mapping[str, Sequence[float | None]],
    *,
    title: str,
    unit: str = "",
    x_label: str = "",
    rows: bool = False,
) -> Markup:
    """A group of bars for each category; empty without a value.

    ``values`` are, for the name of a series, a value for each category, None where there is none.
    ``rows`` puts the categories below each other, for long names, and values beside the bars.
    """
    series = [{"name": n, "data": [_round(one) for one in given]} for n, given in values.items()]
    shown = any(value is not None for given in values.values() for value in given)
    return _figure(
        "rows" if rows else "bars",
        title,
        series if shown else [],
        unit=unit,
        x=x_label,
        categories=list(categories),
        height=56 + 40 * len(categories) if rows else None,
    )


def size_chart(sizes: Mapping[str, ArrayLike], *, title: str, x_label: str) -> Markup:
    """How many clusters have which size, side by side for each name; empty without values.

    ``sizes`` gives each name's positive integers, one for each cluster.
    """
    given = {name: np.asarray(values, np.int64) for name, values in sizes.items()}
    given = {name: values for name, values in given.items() if len(values)}
    if not given:
        return Markup("")
    every = np.concatenate([*given.values()])
    low, high = int(every.min()), int(every.max())
    width = -(-(high - low + 1) // MOST_BARS)  # sizes in a bar
    starts = range(low, high + 1, width)
    counts = {
        name: np.bincount((values - low) // width, minlength=len(starts)).tolist()
        for name, values in given.items()
    }
    names = [str(first) if width == 1 else f"{first} to {first + width - 1}" for first in starts]
    return bar_chart(names, counts, title=title, unit="clusters", x_label=x_label)


def distribution_chart(
    groups: Mapping[str, ArrayLike],
    *,
    title: str,
    x_label: str,
    unit: str,
    limits: tuple[float, float] | None = None,
    marks: Sequence[tuple[str, float]] = (),
    bins: int = 40,
) -> Markup:
    """Shares of several groups of values over one axis, as filled outlines.

    Args:
        groups: name → values; each group is scaled to 100 %. The chart is empty if one has none.
        title, x_label, unit: of the chart, its axis and the shares (``% of the pairs``).
        limits: ends of the axis; by default the smallest and the largest value.
        marks: names and places of upright lines.
        bins: number of equal bins.
    """
    given = {name: np.asarray(values, np.float64) for name, values in groups.items()}
    if not given or not all(len(values) for values in given.values()):
        return Markup("")
    every = np.concatenate([*given.values()])
    low, high = limits or (float(every.min()), float(every.max()))
    if high <= low:
        low, high = low - 0.5, low + 0.5
    edges = np.linspace(low, high, bins + 1)
    series = []
    for name, values in given.items():
        shares = np.histogram(values, bins=edges)[0] / len(values) * 100
        texts = [
            f"{name}, {left:.2f} to {right:.2f}: {share:.1f} %"
            for left, right, share in zip(edges[:-1], edges[1:], shares)
        ]
        # A step lasts until the next point, so the last bin needs its end.
        points = [*zip(edges.tolist(), [*shares.tolist(), shares[-1]])]
        series.append(Series(name, points, [*texts, texts[-1]]))
    return _figure(
        "areas",
        title,
        [_described(one) for one in series],
        unit=unit,
        x=x_label,
        marks=[(name, _round(place)) for name, place in marks if low <= place <= high],
        range={"x": {"min": _round(low), "max": _round(high)}},
        legend=True,
    )


def scatter_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    unit: str = "",
    bare: bool = False,
    heat: tuple[str, int, int] | None = None,
    radius: float = 3,
    most: int = MOST_POINTS,
) -> Markup:
    """Points of several groups; empty without points.

    Args:
        series: groups; of more than ``most`` points an evenly spread part is drawn.
        title, x_label, y_label, unit: of the chart and its axes.
        bare: a square without axes and legend, for a map.
        heat: address of a picture behind the points with its width and height in cells, whose
            centres lie at whole numbers; the first row is on top.
        radius: of a point in pixels.
        most: see ``series``.
    """
    given = []
    for one in (one for one in series if one.points):
        places = np.linspace(0, len(one.points) - 1, min(len(one.points), most)).astype(int)
        points = [one.points[place] for place in places]
        texts = [one.texts[place] for place in places] if one.texts else ()
        given.append(Series(one.name, points, texts, one.colour, one.shape))
    limits: dict[str, Any] | None = None
    if bare:
        limits = {axis: {"min": -0.03, "max": 1.03} for axis in "xy"}
    elif heat:
        limits = {a: {"min": -0.5, "max": size - 0.5} for a, size in zip("xy", heat[1:])}
    return _figure(
        "points",
        title,
        [_described(one) for one in given],
        unit=unit,
        x=x_label,
        y=y_label,
        bare=bare or None,
        legend=False if bare else None,
        heat={"picture": heat[0], "size": heat[1:]} if heat else None,
        range=limits,
        radius=radius,
        square=bool(bare or heat),
    )


def _described(series: Series) -> dict[str, Any]:
    found: dict[str, Any] = {"name": series.name, "shape": series.shape}
    found["data"] = [{"x": _round(x), "y": _round(y)} for x, y in series.points]
    if series.texts:
        found["texts"] = list(series.texts)
    if series.colour is not None:
        found["colour"] = series.colour
    return found


def _round(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.5g}")


def _figure(
    kind: str,
    title: str,
    series: Sequence[Mapping[str, Any]],
    *,
    height: int | None = None,
    square: bool = False,
    **more: Any,
) -> Markup:
    if not series:
        return Markup("")
    spec = {name: value for name, value in more.items() if value not in (None, "", [])}
    return Markup(
        '<figure class="chart"><figcaption>{} <span class="unit">{}</span></figcaption>'
        '<div class="plot{}"{}><canvas role="img" aria-label="{}"></canvas></div>'
        '<script type="application/json">{}</script></figure>'
    ).format(
        title,
        spec.get("unit", ""),
        " square" if square else "",
        "" if height is None else Markup(' style="height:{}px"').format(height),
        title,
        htmlsafe_json_dumps({"kind": kind, "series": series, **spec}, separators=(",", ":")),
    )
