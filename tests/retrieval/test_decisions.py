"""Same or unknown: which threshold counts, and that a calibration of something else never does."""

import json

import pytest
from vireid.errors import UserError
from vireid.retrieval.decisions import OperatingPoint, calibration_for, thresholds_of


def table(**changed):
    points = [
        {"threshold": 0.9, "fmr": 0.0001, "fnmr": 0.6, "fpir": 0.001, "fnir": 0.7},
        {"threshold": 0.7, "fmr": 0.001, "fnmr": 0.3, "fpir": 0.01, "fnir": 0.4},
        {"threshold": 0.5, "fmr": 0.01, "fnmr": 0.1, "fpir": 0.1, "fnir": 0.2},
    ]
    direction = {
        **{"query": "visible", "gallery": "infrared"},
        **{"query_camera": None, "gallery_camera": None},
        "counts": {"probes": 1000, "nonmated": 10_000},
        "thresholds": [{**point, "gallery_size": 10} for point in points],
    }
    pair = {**direction, "query_camera": 1, "gallery_camera": 5}
    pair["thresholds"] = [{**points[1], "threshold": 0.6, "gallery_size": 10}]
    return {"version": 1, "fingerprint": "f", "directions": [direction, pair], **changed}


@pytest.fixture
def run(tmp_path):
    def write(content):
        (tmp_path / "calibration.json").write_text(
            content if isinstance(content, str) else json.dumps(content)
        )
        return tmp_path

    return write


def test_the_rate_grows_with_the_tracklets_as_for_independent_ones():
    point = OperatingPoint(0.5, 0.01, 10)
    assert point.rate(10) == pytest.approx(0.01)
    assert point.rate(100) == pytest.approx(1 - 0.99**10)
    # A pair's false-match rate of 0.1 % among a thousand.
    assert OperatingPoint(0.5, 0.001, 1).rate(1000) == pytest.approx(1 - 0.999**1000)
    assert point.rate(0) == 0 and OperatingPoint(0.5, 1.0, 10).rate(3) == 1


def test_the_lowest_threshold_that_keeps_the_rate_counts(run):
    found = thresholds_of(run(table()))
    across, anywhere = ("visible", "infrared"), ("3", "4")
    assert found.threshold(across, anywhere, 10, 0.01) == 0.7
    assert found.threshold(across, anywhere, 10, 0.2) == 0.5
    assert found.threshold(across, anywhere, 100, 0.01) == 0.9
    assert found.threshold(across, anywhere, 100_000, 0.01) is None
    assert found.threshold(across, ("1", "5"), 10, 0.01) == 0.6
    assert found.threshold(("infrared", "visible"), anywhere, 10, 0.01) is None


def test_a_rate_of_zero_stands_for_what_so_few_searches_can_show(run):
    content = table()
    content["directions"][0]["thresholds"][0]["fpir"] = 0
    content["directions"][0]["counts"]["probes"] = 100
    found = thresholds_of(run(content))
    assert found.threshold(("visible", "infrared"), ("", ""), 10, 0.029) == 0.7
    content["directions"][0]["thresholds"] = content["directions"][0]["thresholds"][:1]
    found = thresholds_of(run(content))
    assert found.threshold(("visible", "infrared"), ("", ""), 10, 0.029) is None
    assert found.threshold(("visible", "infrared"), ("", ""), 10, 0.031) == 0.9


def test_points_of_the_curve_and_rates_of_pairs_count_too(run):
    content = table()
    direction = content["directions"][0]
    direction["curve"] = {"threshold": [0.65, 0.8], "fpir": {"20": [0.02, None]}}
    found = thresholds_of(run(content))
    assert found.threshold(("visible", "infrared"), ("", ""), 10, 0.0101) == 0.65
    for point in direction["thresholds"]:
        point["fpir"] = None
    direction["curve"] = None
    found = thresholds_of(run(content))
    # 0.001 among ten is a little less than 0.01.
    assert found.threshold(("visible", "infrared"), ("", ""), 10, 0.01) == 0.7


def test_a_curve_of_pairs_alone_is_one_of_galleries_of_one(run):
    content = table()
    content["directions"][0] |= {
        "thresholds": [],
        "curve": {"threshold": [0.4, 0.55, 0.8], "fmr": [0.05, 0.002, 0.0001]},
    }
    found = thresholds_of(run(content))
    across, anywhere = ("visible", "infrared"), ("3", "4")
    assert found.threshold(across, anywhere, 100, 0.2) == 0.55  # 1 - 0.998^100 is 18 %
    assert found.threshold(across, anywhere, 1, 0.05) == 0.4
    assert found.threshold(across, anywhere, 1000, 0.05) is None  # 1 - 0.9999^1000 is 9.5 %


def test_only_thresholds_of_these_vectors_decide(run, tmp_path):
    nothing = tmp_path / "index"
    nothing.mkdir()
    found, said = calibration_for(nothing, nothing, "f", "none")
    assert found is None and "no calibrated thresholds" in said
    folder = run(table())
    assert calibration_for(nothing, folder, "f", "none")[0] is not None
    assert calibration_for(nothing, folder, "f", "none")[1] == ""
    found, said = calibration_for(nothing, folder, "other", "none")
    assert found is None and "another network" in said
    found, said = calibration_for(nothing, folder, "f", "a projection")
    assert found is None and "other vectors" in said
    assert f"`vireid calibrate {folder} --data-dir DIR --index {nothing}`" in said
    found, said = calibration_for(run(table(projection="p")), nothing, "f", "p")
    assert found is not None and not found.approximate
    assert thresholds_of(run(table(approximate=True))).approximate


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"version": 2}', '{"version": 1, "fingerprint": 3}'),
        table(directions=3),
        table(directions=[{}]),
        table(directions=[{**table()["directions"][0], "thresholds": [{"threshold": "x"}]}]),
        table(
            directions=[
                {
                    **table()["directions"][0],
                    "thresholds": [{"threshold": 0.1, "fpir": 7, "fmr": 0, "gallery_size": 1}],
                }
            ]
        ),
        table(
            directions=[
                {
                    **table()["directions"][0],
                    "thresholds": [{"threshold": 0.1, "fpir": 0.5, "fmr": 0, "gallery_size": 0}],
                }
            ]
        ),
    ],
)
def test_a_damaged_table_is_one_message(run, content):
    with pytest.raises(UserError, match=r"calibration\.json(:| is no calibration)"):
        thresholds_of(run(content))
