"""Published results, to stand beside a run's own on the same data set."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedRow:
    """A row of a paper's table, in per cent.

    Attributes:
        system: method, and the setting where it needs one.
        supervision: ``supervised`` or ``unsupervised``.
        first: what the first pair of scores is, for instance ``V2I`` or ``all-search``.
        first_scores: Rank-1 and mAP; None where the paper gives none.
        second: what the second pair is.
        second_scores: Rank-1 and mAP.
    """

    system: str
    supervision: str
    first: str
    first_scores: tuple[float | None, float | None]
    second: str
    second_scores: tuple[float | None, float | None]


NOTHING = (None, None)
PUBLISHED_ROWS: dict[str, list[PublishedRow]] = {
    "hitsz-vcm": [
        PublishedRow(
            "M3-ReID, 6 frames", "supervised", "V2I", (75.31, 60.51), "I2V", (73.21, 59.02)
        )
    ],
    "bupt-campus": [
        PublishedRow(
            "M3-ReID, 6 frames", "supervised", "V2I", (70.74, 63.75), "I2V", (68.28, 64.96)
        )
    ],
    "sysu-mm01": [
        PublishedRow("MMM", "unsupervised", "all-search", (61.6, 57.9), "indoor", (64.4, 70.4)),
        PublishedRow(
            "MMM, with matching, without intra and inter",
            "unsupervised",
            "all-search",
            (55.2, 52.2),
            "indoor",
            NOTHING,
        ),
        PublishedRow(
            "MMM, cross-modality clustering only",
            "unsupervised",
            "all-search",
            (51.7, 49.8),
            "indoor",
            NOTHING,
        ),
    ],
    "regdb": [PublishedRow("MMM", "unsupervised", "V2I", (89.7, 80.5), "I2V", (85.8, 77.0))],
}
