"""Draws what several centres gain over one, by how often each person was seen.

    python docs/sightings.py        writes docs/sightings.svg

The figures are those of the table that ``python -m benchmarks.sightings … --write`` leaves in
``benchmarks/results/sightings-cpu.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PICTURE = Path(__file__).with_suffix(".svg")
TABLE = Path(__file__).parents[1] / "benchmarks" / "results" / "sightings-cpu.md"
PANELS = {"people": "clusters that are people", "found": "clusters as they are found"}
MARKS = ("o", "s", "^", "D", "v")


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        sightings: tracklets of a person in each modality.
        kind: of the clusters, a key of ``PANELS``.
        gains: (mean, standard deviation) over one centre, in points, by kind of centres.
    """

    sightings: int
    kind: str
    gains: dict[str, tuple[float, float]]


def rows(text: str) -> list[Row]:
    """Those rows of a written table in which clusters were found."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    names = [name.split(":")[0] for name in cells[0][5:]]
    found = []
    for sightings, kind, tracklets, _, _, *gains in cells[2:]:
        if tracklets == "none":
            continue
        pairs = [gain.split(" ± ") for gain in gains]
        by_name = {
            name: (float(mean), float(spread))
            for name, (mean, spread) in zip(names, pairs, strict=True)
        }
        found.append(Row(int(sightings), kind, by_name))
    return found


def draw_panel(axes: Axes, title: str, found: list[Row]) -> None:
    """One chart: a line for each kind of centres, with bars of one standard deviation."""
    names = list(found[0].gains)
    for place, name in enumerate(names):
        # Side by side, so that bars do not hide each other.
        aside = 1.025 ** (place - (len(names) - 1) / 2)
        means, spreads = zip(*(row.gains[name] for row in found), strict=True)
        seen = [row.sightings * aside for row in found]
        axes.errorbar(seen, means, spreads, marker=MARKS[place], ms=4, capsize=2, label=name)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xscale("log")
    counts = [row.sightings for row in found]
    axes.set_xticks(counts, labels=[str(count) for count in counts])
    axes.minorticks_off()
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("sightings of a person in each modality")
    axes.grid(alpha=0.3)


def draw(found: list[Row]) -> Figure:
    """The picture."""
    figure, panels = plt.subplots(
        1, len(PANELS), figsize=(9.6, 3.8), sharey=True, layout="constrained"
    )
    for axes, (kind, title) in zip(panels, PANELS.items(), strict=True):
        draw_panel(axes, title, [row for row in found if row.kind == kind])
    panels[0].set_ylabel("right matches over K = 1, points")
    panels[0].legend(fontsize=9)
    return figure


if __name__ == "__main__":
    draw(rows(TABLE.read_text(encoding="utf-8"))).savefig(PICTURE, metadata={"Date": None})
    print(PICTURE)
