"""Times as a person reads them."""

from __future__ import annotations

from datetime import datetime, timezone

# Recordings last hours; clocks that count from 1970 stand far above.
FIRST_DATE = 1e8


def written(seconds: float | None) -> str:
    """A time for people.

    Args:
        seconds: since 1970, or since the start of a recording; None where the time is not known.
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
