"""Bars, two distributions in one picture, and scatter charts, as inline SVG like ``charts``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from .charts import BOTTOM, HEIGHT, RIGHT, TOP, WIDTH, Axes, figure, round_ticks, short_number

MOST_BARS = 24
MOST_POINTS = 1500


def size_chart(sizes: Mapping[str, ArrayLike], *, title: str, x_label: str) -> Markup:
    """How many clusters have which size, side by side for each name.

    Args:
        sizes: name → positive integers, one for each cluster.
        title: name of the chart.
        x_label: label of the x axis.

    Returns:
        A ``figure`` element, empty without values.
    """
    given = {name: np.asarray(values, np.int64) for name, values in sizes.items()}
    given = {name: values for name, values in given.items() if len(values)}
    if not given:
        return Markup("")
    low, high = (int(f(np.concatenate([*given.values()]))) for f in (np.min, np.max))
    width = -(-(high - low + 1) // MOST_BARS)  # sizes in a bar
    bins = -(-(high - low + 1) // width)
    counts = {
        name: np.bincount((values - low) // width, minlength=bins) for name, values in given.items()
    }
    top = max(int(values.max()) for values in counts.values())
    axes = Axes(low - 0.5, low + bins * width - 0.5, round_ticks(0, top, whole=True))
    body = [axes.grid(), axes.x_axis(x_label, whole=True)]
    for number, (name, values) in enumerate(counts.items()):
        share = width / len(counts)
        for place, count in enumerate(values.tolist()):
            if not count:
                continue
            first = low + place * width
            left = axes.x(first - 0.5 + number * share) + 0.5
            right = axes.x(first - 0.5 + (number + 1) * share) - 0.5
            text = str(first) if width == 1 else f"{first} to {first + width - 1}"
            body.append(
                _bar(number, left, right, axes, count, f"{name}, {x_label} {text}: {count}")
            )
    return figure(title, "clusters", body, list(counts), boxes=True)


def two_distributions(
    groups: Mapping[str, ArrayLike],
    *,
    title: str,
    x_label: str,
    marks: Sequence[tuple[float, str]] = (),
    bins: int = 40,
) -> Markup:
    """Shares of several groups of values over one axis, as filled outlines.

    Args:
        groups: name → values; each group is scaled to 100 %.
        title: name of the chart.
        x_label: label of the x axis.
        marks: places on the axis with their names, drawn as upright lines.
        bins: number of equal bins.

    Returns:
        A ``figure`` element, empty if a group has no values.
    """
    given = {name: np.asarray(values, np.float64) for name, values in groups.items()}
    if not given or not all(len(values) for values in given.values()):
        return Markup("")
    low, high = (float(f([f(v) for v in given.values()])) for f in (np.min, np.max))
    if high <= low:
        low, high = low - 0.5, low + 0.5
    shares = {
        name: np.histogram(values, bins=bins, range=(low, high))[0] / len(values) * 100
        for name, values in given.items()
    }
    axes = Axes(low, high, round_ticks(0, max(float(v.max()) for v in shares.values())))
    body = [axes.grid(), axes.x_axis(x_label)]
    for number, (_, values) in enumerate(shares.items()):
        edges = np.linspace(low, high, bins + 1)
        points = [(edges[0], 0.0)]
        for place, value in enumerate(values.tolist()):
            points += [(edges[place], value), (edges[place + 1], value)]
        points.append((edges[-1], 0.0))
        path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
        body.append(Markup('<polygon class="area s{}" points="{}"/>').format(number, path))
    for number, (mark, name) in enumerate(marks):
        if low <= mark <= high:
            body.append(_mark(axes, mark, name, number))
    return figure(title, "% of the pairs", body, list(shares), boxes=True)


def scatter_chart(
    groups: Mapping[str, ArrayLike],
    *,
    title: str,
    x_label: str,
    y_label: str,
    names: Mapping[str, Sequence[str]] | None = None,
) -> Markup:
    """Points of several groups: round ones, squares and diamonds.

    Args:
        groups: name → [n, 2] points; of more than 1,500 an evenly spread part is drawn.
        title: name of the chart.
        x_label: label of the x axis.
        y_label: unit of the y axis.
        names: text of each point, shown under the pointer.

    Returns:
        A ``figure`` element, empty without points.
    """
    given = {name: np.asarray(values, np.float64).reshape(-1, 2) for name, values in groups.items()}
    given = {name: values for name, values in given.items() if len(values)}
    if not given:
        return Markup("")
    points = np.concatenate([*given.values()])
    low, high = float(points[:, 0].min()), float(points[:, 0].max())
    pad = (high - low) * 0.03 or 0.5
    ticks = round_ticks(min(0.0, float(points[:, 1].min())), float(points[:, 1].max()))
    axes = Axes(low - pad, high + pad, ticks)
    body = [axes.grid(), axes.x_axis(x_label)]
    for number, (name, values) in enumerate(given.items()):
        for place in _spread(len(values), MOST_POINTS):
            text = names[name][place] if names else ""
            x, y = values[place]
            body.append(_point(number, axes.x(x), axes.y(y), text))
    return figure(title, y_label, body, list(given), boxes=True)


def _spread(count: int, most: int) -> list[int]:
    places: NDArray[np.int64] = np.linspace(0, count - 1, min(count, most)).astype(np.int64)
    return list(places.tolist())


def _point(number: int, x: float, y: float, text: str) -> Markup:
    title = Markup("<title>{}</title>").format(text) if text else Markup("")
    if number == 0:
        return Markup(
            '<circle class="dot soft s0" cx="{:.1f}" cy="{:.1f}" r="3">{}</circle>'
        ).format(x, y, title)
    return Markup(
        '<rect class="dot soft s{}" x="{:.1f}" y="{:.1f}" width="5" height="5">{}</rect>'
    ).format(number, x - 2.5, y - 2.5, title)


def _bar(number: int, left: float, right: float, axes: Axes, value: float, text: str) -> Markup:
    return Markup(
        '<rect class="bar s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
        "<title>{}</title></rect>"
    ).format(number, left, axes.y(value), max(right - left, 0.8), axes.y(0) - axes.y(value), text)


def _mark(axes: Axes, place: float, name: str, number: int) -> Markup:
    x = axes.x(place)
    near_edge = x > WIDTH - RIGHT - 44
    return Markup(
        '<line class="mean" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"><title>{3}: {4}</title>'
        '</line><text class="tick" x="{5:.1f}" y="{6}" text-anchor="{7}">{3}</text>'
    ).format(
        x,
        TOP - 8,
        HEIGHT - BOTTOM,
        name,
        short_number(place),
        x - 4 if near_edge else x + 4,
        TOP + 14 * number,
        "end" if near_edge else "start",
    )
