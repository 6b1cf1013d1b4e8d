"""Moments as tables and flags write them, and as seconds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ..reading import shortened

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def parse_time(text: str) -> float:
    """Seconds of a moment.

    Args:
        text: a date and time such as ``2026-05-01T12:00:00.250``, with or without a zone (without
            one it is taken for UTC, so all cameras should agree), or seconds as a number.

    Returns:
        Seconds since 1970, or the number.

    Raises:
        ValueError: it is neither.
    """
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if abs(seconds) < 1e11:  # the year 5138; not infinity, and no NaN
            return seconds
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise ValueError(
            f"expected a time like 2026-05-01T12:00:00, or seconds; found {shortened(text)}"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return (moment - EPOCH).total_seconds()


def format_time(start: str, seconds: float) -> str:
    """The moment so many seconds after a start, written as the start is, to the millisecond.

    Args:
        start: as :func:`parse_time` reads it.
        seconds: after it.
    """
    try:
        return f"{float(start) + seconds:.3f}"
    except ValueError:
        moment = datetime.fromisoformat(start.strip().replace("Z", "+00:00"))
        later = moment + timedelta(milliseconds=round(seconds * 1000))
        return later.isoformat(timespec="milliseconds")
