"""Why boxes are left out, in words."""

from __future__ import annotations

from collections.abc import Mapping

REASONS = {
    "outside": "outside the picture",
    "unsure": "below --min-confidence",
    "small": "lower than --min-height",
    "cut": "at the picture's edge (--border)",
    "covered": "covered (--max-overlap)",
    "between": "between two taken ones (--every)",
    "blurred": "blurred (--min-sharpness)",
    "short": "in tracklets of too few crops (--min-frames)",
}


def left_out(counts: Mapping[str, int]) -> list[str]:
    """A phrase for each rule that left boxes out.

    Args:
        counts: boxes by reason; other counts are ignored.
    """
    return [f"{counts[key]:,} boxes {words}" for key, words in REASONS.items() if counts.get(key)]
