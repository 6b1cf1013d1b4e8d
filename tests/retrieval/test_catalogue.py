"""Pages of tracklets in order of time, against sorting and leaving out by hand."""

import json

import numpy as np
import pyarrow as pa
import pytest
from index_rows import row
from vireid.retrieval.browse.catalogue import BINS, PAGE, Catalogue


class Rows:
    """A store that holds rows and no vectors."""

    def __init__(self, rows):
        self.rows = rows

    def batches(self, condition, columns):
        for start in range(0, len(self.rows), 7000):
            part = self.rows[start : start + 7000]
            yield pa.RecordBatch.from_pylist(
                [{name: one[name] for name in columns} for one in part]
            )


def shuffled(count, seed=0):
    """Rows in an odd order, some at one moment, some without a time."""
    rng = np.random.default_rng(seed)
    rows = [row(n, start_time=float(n // 3), camera=f"c{n % 4}") for n in range(count)]
    for number in rng.choice(count, count // 9, replace=False):
        rows[number] |= {"start_time": None, "end_time": None}
    return [rows[number] for number in rng.permutation(count)]


def by_hand(rows, camera="", modality="", find=""):
    kept = [
        one
        for one in rows
        if (not camera or one["camera"] == camera)
        and (not modality or one["modality"] == modality)
        and find.lower() in one["key"]
    ]
    far = float("inf")
    start = {one["key"]: far if one["start_time"] is None else one["start_time"] for one in kept}
    return sorted(start, key=lambda key: (start[key], key)), start


@pytest.mark.parametrize(
    "asked",
    [
        *({}, {"camera": "c1"}, {"modality": "infrared"}, {"find": "P00"}, {"find": "nobody"}),
        *({"camera": "c2", "modality": "visible", "find": "7"}, {"camera": "another"}),
    ],
)
def test_pages_follow_each_other_and_hold_everything_once(asked):
    rows = shuffled(200)
    catalogue = Catalogue(Rows(rows))
    expected, start = by_hand(rows, **asked)
    seen, position = [], 0
    while position < len(expected):
        page = catalogue.page(position, **asked)
        assert (page.position, page.total) == (position, len(expected))
        assert len(page.tracklets) <= PAGE
        seen += [one.key for one in page.tracklets]
        position += PAGE
    assert seen == expected
    page = catalogue.page(10**9, **asked)
    assert [one.key for one in page.tracklets] == expected[-1:]
    timed = [key for key in expected if start[key] < float("inf")]
    assert sum(page.bins) == len(timed)
    assert len(page.bins) == len(page.firsts) == (BINS if timed else 0)
    for first, count, following in zip(page.firsts, page.bins, [*page.firsts[1:], len(timed)]):
        assert first + count == following


def test_a_page_is_found_by_a_tracklet():
    rows = shuffled(200)
    catalogue = Catalogue(Rows(rows))
    for key in (rows[0]["key"], rows[77]["key"], rows[199]["key"]):
        page = catalogue.page(around=key)
        assert key in [one.key for one in page.tracklets]
        assert page.position % PAGE == 0
    assert catalogue.page(around="nobody").position == 0


def test_tracklets_of_a_modality_are_spread_over_all_of_them():
    rows = shuffled(200)
    catalogue = Catalogue(Rows(rows))
    whole = by_hand(rows, modality="visible")[0]
    assert catalogue.of_modality("visible", 100) == whole
    some = catalogue.of_modality("visible", 9)
    assert len(some) == len(set(some)) == 9 and set(some) <= set(whole)
    assert (some[0], some[-1]) == (whole[0], whole[-1])


def test_an_empty_index_has_one_empty_page():
    page = Catalogue(Rows([])).page()
    assert (page.tracklets, page.position, page.total, page.bins) == ([], 0, 0, [])


def test_of_a_hundred_thousand_only_a_page_is_handed_on():
    rows = [row(n) for n in range(100_000)]
    page = Catalogue(Rows(rows)).page(50_000)
    assert page.total == 100_000 and len(page.tracklets) == PAGE
    assert len(json.dumps([page.bins, page.firsts])) < 1000
