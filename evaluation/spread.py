"""Mean and standard deviation over trials, splits or seeds: what stands before and after a ±."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def mean_and_std(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation.

    Args:
        values: scores of the trials; None or NaN where a trial has none.

    Returns:
        Mean and standard deviation with n − 1 in the denominator. Both are None if a score is
        missing; the deviation is None with fewer than two scores.
    """
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known or len(known) < len(values):
        return None, None
    spread = statistics.stdev(known) if len(known) > 1 else None
    return statistics.fmean(known), spread
