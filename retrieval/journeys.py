"""Journeys that are too fast or too slow, as a condition on the rows of an index."""

from __future__ import annotations

import math

from ..datasets.transitions import Transition, Transitions
from .conditions import all_of, quoted


def possible(transitions: Transitions, camera: str, start: float | None, end: float | None) -> str:
    """Rows that the person in front of a camera may also be, as the table understands it.

    Rows without a time, and other cameras than those listed, are not ruled out. Somebody in
    front of both cameras at once has taken 0 seconds.

    Args:
        transitions: ways between cameras.
        camera: of the query.
        start, end: seconds of the query; None rules nothing out.

    Returns:
        The condition; empty if all rows hold it.
    """
    if start is None or end is None:
        return ""
    ways, conditions = transitions.ways, []
    for other in sorted(end for start_camera, end in ways if start_camera == camera):
        after, before = ways.get((camera, other)), ways.get((other, camera))
        allowed = [
            f"start_time >= {end!r} AND {_within(f'start_time - {end!r}', after)}",
            f"end_time <= {start!r} AND {_within(f'{start!r} - end_time', before)}",
        ]
        if any(way is None or way.least <= 0 for way in (after, before)):
            allowed.append(f"start_time < {end!r} AND end_time > {start!r}")
        may = " OR ".join(f"({one})" for one in allowed)
        conditions.append(f"camera <> {quoted(other)} OR start_time IS NULL OR {may}")
    return all_of(conditions)


def _within(seconds: str, way: Transition | None) -> str:
    if way is None:
        return "TRUE"
    most = "" if math.isinf(way.most) else f" AND {seconds} <= {way.most!r}"
    return f"{seconds} >= {way.least!r}{most}"
