"""The calibration's table for the terminal."""

from vireid.reporting.calibration_table import calibration_table

POINT = {"gallery_size": 10, "aim": "fmr", "aimed": 0.01, "threshold": 0.8, "fnir": None}
POINT |= {"fmr": 0.008, "fnmr": 0.2, "fpir": 0.07, "intervals": {}}
COUNTS = {"tracklets": 9, "mated": 9, "nonmated": 132}


def direction(thresholds, unreachable):
    return {
        **{"query": "visible", "gallery": "visible", "borrowed": False, "counts": COUNTS},
        **{"query_camera": None, "gallery_camera": None},
        **{"thresholds": thresholds, "unreachable": unreachable},
    }


def table(thresholds, unreachable):
    found = {"directions": [direction(thresholds, unreachable)], "notes": [], "approximate": True}
    return calibration_table(found).splitlines()


def test_rates_that_the_data_cannot_show_are_named():
    lines = table([POINT], ["FMR 0.001: 132 pairs at overlapping times"])
    assert any("0.8000" in line for line in lines)
    assert "Too little data for: FMR 0.001: 132 pairs at overlapping times." in lines


def test_a_direction_without_a_threshold_says_so_in_place_of_an_empty_table():
    lines = table([], ["FMR 0.01: 96 pairs at overlapping times"])
    assert "No threshold." in lines
    assert not any("threshold  " in line for line in lines)
    assert "Too little data for: FMR 0.01: 96 pairs at overlapping times." in lines
    assert not any("Too little" in line for line in table([POINT], []))
