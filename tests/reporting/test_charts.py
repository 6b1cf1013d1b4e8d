"""What the charts tell the browser to draw."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from vireid.reporting.charts import (
    Band,
    Series,
    bar_chart,
    distribution_chart,
    line_chart,
    scatter_chart,
    size_chart,
)


def spec(chart):
    return json.loads(re.search(r"<script[^>]*>(.*)</script>", str(chart))[1])


def test_nothing_to_draw_is_no_chart():
    assert line_chart([Series("a", [])], title="t") == ""
    assert bar_chart(["a"], {"b": [None]}, title="t") == ""
    assert size_chart({"a": []}, title="t", x_label="x") == ""
    assert distribution_chart({"a": [0.5], "b": []}, title="t", x_label="x", unit="%") == ""
    assert scatter_chart([Series("a", [])], title="t") == ""


def test_names_stay_inside_the_json():
    name = "</script><b>\"'&"
    chart = str(line_chart([Series(name, [(0, 1)])], title=name))
    assert chart.count("</script>") == 1 and "<b>" not in chart
    assert spec(chart)["series"][0]["name"] == name


def test_a_line_breaks_at_what_is_no_number_and_begins_with_its_stage():
    line = Series("a", [(3, 0.123456789), (4, math.nan), (5, None), (6, 2)])
    found = spec(line_chart([line], title="t", bands=[Band("one", 0, 2), Band("two", 2, 6)]))
    assert found["series"][0]["data"] == [
        {"x": 3, "y": 0.12346},
        {"x": 4, "y": None},
        {"x": 5, "y": None},
        {"x": 6, "y": 2},
    ]
    assert found["bands"] == [["two", 2, 6]]
    assert found["range"] == {"x": {"min": 2, "max": 6}}


def test_sizes_are_counted_in_at_most_24_bars():
    few = spec(size_chart({"a": [2, 2, 4]}, title="t", x_label="tracks"))
    assert (few["categories"], few["series"][0]["data"]) == (["2", "3", "4"], [2, 0, 1])
    values = np.arange(1, 100)
    many = spec(size_chart({"a": values}, title="t", x_label="tracks"))
    assert len(many["categories"]) <= 24 and many["categories"][0] == "1 to 5"
    assert sum(many["series"][0]["data"]) == 99


@pytest.mark.parametrize("limits", [None, (0.0, 1.0)])
def test_each_distribution_adds_up_to_100(limits):
    rng = np.random.default_rng(0)
    groups = {"a": rng.random(500), "b": rng.random(7)}
    chart = distribution_chart(
        groups, title="t", x_label="x", unit="%", limits=limits, marks=[("in", 0.5), ("out", 9)]
    )
    found = spec(chart)
    for one in found["series"]:
        # The last point only ends the last step. Values are kept to five digits.
        assert sum(p["y"] for p in one["data"][:-1]) == pytest.approx(100, abs=40 * 5e-5)
        assert one["data"][-1]["y"] == one["data"][-2]["y"]
    assert found["marks"] == [["in", 0.5]]


def test_of_many_points_a_spread_part_is_drawn():
    points = [(n, n) for n in range(1000)]
    found = spec(
        scatter_chart([Series("a", points, list(map(str, range(1000))))], title="t", most=10)
    )
    (series,) = found["series"]
    assert len(series["data"]) == len(series["texts"]) == 10
    assert (series["texts"][0], series["texts"][-1]) == ("0", "999")
