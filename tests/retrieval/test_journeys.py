"""Journeys that are too fast or too slow, against a plain rule."""

import itertools
import math

import pytest
from index_rows import pictures, row, unit_vectors
from vireid.datasets.transitions import read_transitions
from vireid.retrieval.journeys import possible

WAYS = {("door", "gate"): (20, 60), ("gate", "yard"): (0, 30), ("yard", "gate"): (10, math.inf)}


def plain(camera, start, end, other, first, last):
    """Whether somebody seen by one camera from start to end may be seen by another then."""
    forward = WAYS.get((camera, other), WAYS.get((other, camera)))
    back = WAYS.get((other, camera), WAYS.get((camera, other)))
    if first is None or forward is None:
        return True
    if first >= end and forward[0] <= first - end <= forward[1]:
        return True
    if last <= start and back[0] <= start - last <= back[1]:
        return True
    return first < end and last > start and min(forward[0], back[0]) <= 0


@pytest.fixture(params=["csv", "yaml"])
def transitions(request, tmp_path):
    file = tmp_path / f"ways.{request.param}"
    if request.param == "csv":
        lines = [
            f"{a},{b},{least},{'' if math.isinf(most) else most}"
            for (a, b), (least, most) in WAYS.items()
        ]
        file.write_text("\n".join(["from,to,dt_min,dt_max", *lines]))
    else:
        file.write_text(
            "".join(
                f"- {{from: {a}, to: {b}, dt_min: {least}"
                + ("}\n" if math.isinf(most) else f", dt_max: {most}}}\n")
                for (a, b), (least, most) in WAYS.items()
            )
        )
    return read_transitions(file)


def test_the_table_keeps_what_the_plain_rule_keeps(index, transitions):
    spans = [(n, n + length) for n in range(0, 260, 10) for length in (0, 5, 40)] + [(None, None)]
    seen = [
        (camera, *span) for camera in ("door", "gate", "yard", "hall", "o'clock") for span in spans
    ]
    rows = [
        row(n, camera=camera, start_time=first, end_time=last)
        for n, (camera, first, last) in enumerate(seen)
    ]
    index.store.add(rows, unit_vectors(len(rows)), pictures(len(rows)))
    ruled_out = 0
    for camera, (start, end) in itertools.product(
        ("door", "gate", "yard", "nowhere"), ((100.0, 110.0), (100.0, 100.0), (0.0, 300.0))
    ):
        condition = possible(transitions, camera, start, end)
        kept = {found["key"] for found in index.store.rows(condition, ("key",))}
        wanted = {
            f"p{n:04d}"
            for n, (other, *span) in enumerate(seen)
            if plain(camera, start, end, other, *span)
        }
        assert kept == wanted, camera
        ruled_out += len(seen) - len(kept)
    assert ruled_out > 100
    assert possible(transitions, "door", None, None) == ""
