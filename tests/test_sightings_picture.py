"""The picture of what several centres gain shows the figures of its table."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

DOCS = Path(__file__).parents[1] / "docs"
TABLE = """# sightings on a machine

| sightings | clusters | tracklets in one | visible clusters | right, K = 1 | K = 2: over it, points | by camera: over it, points |
| ---: | --- | ---: | ---: | ---: | ---: | ---: |
| 3 | people | 3.0 | 40 | 70% | +1.5 ± 0.5 | -2.0 ± 1.0 |
| 60 | people | 60.0 | 40 | 80% | +4.0 ± 0.1 | +0.0 ± 0.0 |
| 3 | found | none | - | - | - | - |
| 60 | found | 30.0 | 70 | 50% | -0.5 ± 2.0 | +1.0 ± 0.5 |
"""  # noqa: E501


@pytest.fixture(scope="module")
def drawing():
    return runpy.run_path(str(DOCS / "sightings.py"), run_name="sightings")


def test_each_panel_shows_its_rows_with_their_spread(drawing):
    figure = drawing["draw"](drawing["rows"](TABLE))
    shown = {}
    for axes in figure.axes:
        for bars in axes.containers:
            line, _, (spread,) = bars.lines
            ends = [stem[:, 1].tolist() for stem in spread.get_segments()]
            shown[axes.get_title(), bars.get_label()] = (line.get_ydata().tolist(), ends)
    assert shown == {
        ("clusters that are people", "K = 2"): ([1.5, 4.0], [[1.0, 2.0], [3.9, 4.1]]),
        ("clusters that are people", "by camera"): ([-2.0, 0.0], [[-3.0, -1.0], [0.0, 0.0]]),
        ("clusters as they are found", "K = 2"): ([-0.5], [[-2.5, 1.5]]),
        ("clusters as they are found", "by camera"): ([1.0], [[0.5, 1.5]]),
    }


def test_the_written_table_can_be_drawn(drawing):
    found = drawing["rows"](drawing["TABLE"].read_text(encoding="utf-8"))
    assert {row.kind for row in found} == set(drawing["PANELS"])
    assert drawing["PICTURE"].exists()
