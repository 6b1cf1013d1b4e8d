"""16-bit windows: what they keep comes back, and what they clip is counted."""

import numpy as np
import pytest
from vireid.footage.thermal import Histogram, Window


def window_of(raw, clipped):
    histogram = Histogram()
    for part in np.array_split(raw, 3):  # a tracklet comes crop by crop
        histogram.add(part)
    return histogram.window(clipped)


@pytest.mark.parametrize("clipped", [0, 0.1, 2, 20])
def test_the_window_is_that_of_the_sorted_pixels(clipped):
    rng = np.random.default_rng(0)
    raw = rng.normal(30_000, 300, 5_000).clip(0, 65535).astype(np.uint16)
    window, most = window_of(raw, clipped), int(len(raw) * clipped / 100)
    ordered = np.sort(raw)
    assert (window.low, window.high) == (ordered[most], ordered[len(raw) - most - 1])
    assert window.below == (raw < window.low).sum() <= most
    assert window.above == (raw > window.high).sum() <= most


def test_inside_the_window_raw_values_come_back_to_half_a_step():
    raw = np.arange(20_000, 24_001, dtype=np.uint16)
    window = window_of(raw, 1)
    back = window.invert(window.apply(raw))
    inside = (raw >= window.low) & (raw <= window.high)
    step = (window.high - window.low) / 255
    assert np.abs(back - raw)[inside].max() <= step / 2 + 1e-9
    assert set(back[~inside]) <= {float(window.low), float(window.high)}


@pytest.mark.parametrize("span", [1, 17, 255])
def test_a_narrow_window_loses_nothing(span):
    raw = np.arange(500, 501 + span, dtype=np.uint16)
    window = window_of(raw, 0)
    np.testing.assert_array_equal(np.round(window.invert(window.apply(raw))), raw)


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_one_value_everywhere_has_a_window_too(value):
    window = window_of(np.full((4, 5), value, np.uint16), 0.1)
    assert window.high > window.low
    assert (window.below, window.above) == (0, 0)
    assert window.invert(window.apply(np.array([value], np.uint16))) == value


def test_order_is_kept():
    raw = np.arange(0, 65536, 7, dtype=np.uint16)
    assert (np.diff(Window(1000, 60_000).apply(raw).astype(int)) >= 0).all()
