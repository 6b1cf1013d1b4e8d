"""Line charts and histograms as inline SVG whose colours follow the page's light or dark scheme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 22, 40
# Series differ in colour and in dash, so that they can be told apart without colour vision.
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2")
MOST_DOTS = 80  # points of a line beyond which single ones are no longer marked


@dataclass(frozen=True)
class Series:
    """One line in pieces: each piece holds points (x, y) in rising x, all of them finite."""

    name: str
    pieces: Sequence[Sequence[tuple[float, float]]]

    @property
    def points(self) -> list[tuple[float, float]]:
        """The points of all pieces."""
        return [point for piece in self.pieces for point in piece]


@dataclass(frozen=True)
class Band:
    """A named stretch of the x axis, for instance a training stage."""

    name: str
    start: float
    stop: float


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str = "epoch",
    y_label: str = "",
    bands: Sequence[Band] = (),
    from_zero: bool = True,
) -> Markup:
    """A chart of several lines with a legend.

    Args:
        series: lines; those without points are left out.
        title: name of the chart, also its accessible description.
        x_label: label of the x axis.
        y_label: unit of the y axis, written beside the title.
        bands: stretches of the x axis that are named at the top.
        from_zero: let the y axis include 0.

    Returns:
        A ``figure`` element; a sentence instead of a chart if there is no point.
    """
    series = [line for line in series if line.points]
    if not series:
        return Markup("")
    xs = [x for line in series for x, _ in line.points]
    xs += [edge for band in bands for edge in (band.start, band.stop)]
    ys = [y for line in series for _, y in line.points] + ([0.0] if from_zero else [])
    axes = Axes(min(xs), max(xs), round_ticks(min(ys), max(ys)))
    body = [axes.grid(), axes.x_axis(x_label), axes.bands(bands)]
    for number, line in enumerate(series):
        colour, dash = line_style(number)
        for piece in line.pieces:
            path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in piece)
            body.append(
                Markup('<polyline class="line {}" points="{}" stroke-dasharray="{}"/>').format(
                    colour, path, dash
                )
            )
        for x, y in line.points if len(line.points) <= MOST_DOTS else ():
            body.append(
                Markup(
                    '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.6"><title>{}, {} {:g}: {}'
                    "</title></circle>"
                ).format(colour, axes.x(x), axes.y(y), line.name, x_label, x, short_number(y))
            )
    return figure(title, y_label, body, [line.name for line in series])


def histogram(
    values: Sequence[float], *, title: str, x_label: str, bins: int = 20, colour: int = 0
) -> Markup:
    """Counts of values between 0 and 1 in equal bins, with the mean marked.

    Args:
        values: numbers in [0, 1].
        title: name of the chart.
        x_label: label of the x axis.
        bins: number of bins; the last one includes 1.
        colour: number of the series whose colour is taken.

    Returns:
        A ``figure`` element, empty without values.
    """
    if not values:
        return Markup("")
    counts = [0] * bins
    for value in values:
        counts[min(int(value * bins), bins - 1)] += 1
    axes = Axes(0.0, 1.0, round_ticks(0, max(counts), whole=True))
    body = [axes.grid(), axes.x_axis(x_label)]
    for number, count in enumerate(counts):
        left, right = axes.x(number / bins) + 1, axes.x((number + 1) / bins) - 1
        body.append(
            Markup(
                '<rect class="bar s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                "<title>{:.2f} to {:.2f}: {}</title></rect>"
            ).format(
                colour,
                left,
                axes.y(count),
                right - left,
                axes.y(0) - axes.y(count),
                number / bins,
                (number + 1) / bins,
                count,
            )
        )
    mean = sum(values) / len(values)
    body.append(
        Markup(
            '<line class="mean" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>'
            '<text class="tick" x="{0:.1f}" y="{3}" text-anchor="{4}"> mean {5:.3f} </text>'
        ).format(
            axes.x(mean),
            TOP,
            HEIGHT - BOTTOM,
            TOP - 6,
            "start" if mean < 0.2 else "end" if mean > 0.8 else "middle",
            mean,
        )
    )
    return figure(title, "queries", body, [])


class Axes:
    """Maps values to the drawing and draws grid and labels."""

    def __init__(self, low: float, high: float, ticks: Sequence[float]) -> None:
        self.low, self.high = (low, high) if high > low else (low - 0.5, low + 0.5)
        self.ticks = ticks

    def x(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - BOTTOM - TOP)

    def grid(self) -> Markup:
        line = Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
            '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
        )
        return Markup("").join(
            line.format(
                LEFT,
                WIDTH - RIGHT,
                self.y(tick),
                self.y(tick),
                LEFT - 6,
                self.y(tick) + 4,
                short_number(tick),
            )
            for tick in self.ticks
        )

    def x_axis(self, label: str, *, whole: bool = False) -> Markup:
        text = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
        ticks = [tick for tick in round_ticks(self.low, self.high) if self.low <= tick <= self.high]
        if whole:
            ticks = [tick for tick in ticks if tick == round(tick)]
        parts = [
            text.format(self.x(tick), HEIGHT - BOTTOM + 17, short_number(tick)) for tick in ticks
        ]
        middle = (LEFT + WIDTH - RIGHT) / 2
        return Markup("").join([*parts, text.format(middle, HEIGHT - 6, label)])

    def bands(self, bands: Sequence[Band]) -> Markup:
        edge = Markup('<line class="edge" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>')
        label = Markup(
            '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}<title>{}</title></text>'
        )
        parts = []
        for band in bands:
            left, right = self.x(band.start), self.x(band.stop)
            if band.start > self.low:
                parts.append(edge.format(left, TOP, HEIGHT - BOTTOM))
            # A name wider than its band would run into the next one; the page lists all stages.
            if 7 * len(band.name) < right - left:
                parts.append(label.format((left + right) / 2, TOP - 8, band.name, band.name))
        return Markup("").join(parts)


def line_style(number: int) -> tuple[str, str]:
    """Class and dash pattern of a line; no pair repeats among the first 36."""
    return f"s{number % 6}", DASHES[(number + number // 6) % len(DASHES)]


def figure(
    title: str, unit: str, body: Sequence[Markup], names: Sequence[str], *, boxes: bool = False
) -> Markup:
    """A drawing of ``WIDTH`` x ``HEIGHT`` with title and legend.

    Args:
        title: name of the chart, also its accessible description.
        unit: unit of the y axis, beside the title.
        body: what is drawn.
        names: names of the series, in the order of their colours.
        boxes: keys are filled boxes instead of lines.
    """
    line = Markup('<line class="line {}" x1="1" x2="27" y1="5" y2="5" stroke-dasharray="{}"/>')
    box = Markup('<rect class="bar {}" x="9" width="10" height="10"/>')
    key = Markup('<span class="key"><svg viewBox="0 0 28 10" aria-hidden="true">{}</svg>{}</span>')
    legend = Markup("").join(
        key.format((box if boxes else line).format(*line_style(number)), name)
        for number, name in enumerate(names)
    )
    drawing = Markup("").join(body)
    return Markup(
        '<figure class="chart"><figcaption>{} <span class="unit">{}</span></figcaption>'
        '<svg viewBox="0 0 {} {}" role="img" '
        'aria-label="{}">{}</svg><div class="legend">{}</div></figure>'
    ).format(title, unit, WIDTH, HEIGHT, escape(title), drawing, legend)


def round_ticks(low: float, high: float, wanted: int = 5, *, whole: bool = False) -> list[float]:
    """Round numbers that enclose the range, about ``wanted`` of them; ``whole`` ones for counts."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(f * power for f in (1, 2, 2.5, 5, 10) if f * power >= raw * 0.999)
    if whole:
        step = float(math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def short_number(value: float) -> str:
    """A number with at most four digits."""
    return f"{value:.4g}"
