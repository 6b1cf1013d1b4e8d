"""Times as a person writes and reads them, and as numbers."""

from __future__ import annotations

import math
from datetime import datetime, timezone

# Recordings last hours; clocks that count from 1970 stand far above.
FIRST_DATE = 1e8


def moment(text: str) -> float:
    """A time as seconds.

    Args:
        text: a number of seconds, from 1970 on or from the start of a recording; or a date and
            time by ISO 8601, in UTC where it names no time zone.

    Raises:
        ValueError: it is neither.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
        try:
            # Before 3.11 Python reads no Z.
            when = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
            if when.tzinfo is None:
                when = when.replace(tzinfo=timezone.utc)
            seconds = when.timestamp()
        except (ValueError, OverflowError):
            pass
    if not math.isfinite(seconds):
        raise ValueError(
            f"expected seconds, or a time such as 2026-03-01T14:30:00; found {text[:40]!r}"
        )
    return seconds


def written(seconds: float | None) -> str:
    """A time for people.

    Args:
        seconds: as :func:`moment` gives them; None where the time is not known.
    """
    if seconds is None:
        return ""
    if abs(seconds) < FIRST_DATE:
        minutes, rest = divmod(seconds, 60)
        return f"{int(minutes)}:{rest:04.1f}"
    try:
        when = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s"
    return when.strftime("%Y-%m-%d %H:%M:%S")
