"""How long the way from one camera to another takes: which journeys are impossible."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..reading import is_number, parse_yaml, read_table, read_text, shortened

COLUMNS = ("from", "to", "dt_min", "dt_max")


@dataclass(frozen=True)
class Transition:
    """The way between two cameras.

    Attributes:
        start, end: cameras in the direction of walking.
        least, most: seconds between leaving the one and coming to the other; ``most`` may be
            infinite.
    """

    start: str
    end: str
    least: float
    most: float


@dataclass(frozen=True)
class Transitions:
    """Ways between cameras; of a pair that is not listed nothing is ruled out.

    Attributes:
        ways: by the cameras at both ends, in the direction of walking. A way that is listed in one
            direction counts in the other, too.
    """

    ways: Mapping[tuple[str, str], Transition]

    def least(self) -> dict[tuple[str, str], float]:
        """Seconds below which nobody goes from one camera to another, where that is above 0."""
        return {ends: way.least for ends, way in self.ways.items() if way.least > 0}


def read_transitions(file: Path) -> Transitions:
    """Reads a CSV table, or a YAML list, of ``from``, ``to``, ``dt_min``, ``dt_max``.

    Args:
        file: ends in ``.csv``, ``.yaml`` or ``.yml``; an empty or missing ``dt_max`` is no limit.

    Raises:
        UserError: it cannot be read; says which entry is wrong.
    """
    try:
        if file.suffix.lower() == ".csv":
            columns, rows = read_table(file)
            if not set(COLUMNS[:3]) <= set(columns):
                raise ValueError(f"found the columns {shortened(', '.join(columns))}")
            found: Any = rows
        else:
            found = parse_yaml(read_text(file))
            if not isinstance(found, list):
                raise ValueError("it is no list")
        return _transitions(found)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--transitions {file}: expected for each way {', '.join(COLUMNS)} (cameras, and "
            f"seconds from leaving the one to coming to the other): {error}"
        ) from error


def _transitions(entries: Iterable[Any]) -> Transitions:
    ways: dict[tuple[str, str], Transition] = {}
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping) or not set(COLUMNS[:3]) <= set(entry):
            raise ValueError(f"entry {number} is {shortened(entry)}")
        cameras = (str(entry["from"]), str(entry["to"]))
        least = _seconds(entry["dt_min"], number)
        given = entry.get("dt_max")
        most = math.inf if given in (None, "") else _seconds(given, number)
        if not 0 <= least <= most:
            raise ValueError(f"entry {number}: dt_min {least:g} to dt_max {most:g} is no span")
        if cameras in ways:
            raise ValueError(f"entry {number}: {' to '.join(cameras)} is there twice")
        ways[cameras] = Transition(*cameras, least, most)
    for way in list(ways.values()):
        ways.setdefault((way.end, way.start), Transition(way.end, way.start, way.least, way.most))
    return Transitions(ways)


def _seconds(value: Any, number: int) -> float:
    try:
        seconds = float(value) if isinstance(value, str) or is_number(value) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"entry {number}: {shortened(value)} is no number of seconds")
    return seconds
