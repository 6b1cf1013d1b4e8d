"""How many identities, tracks and frames a complete copy of a data set has."""

from __future__ import annotations

from dataclasses import dataclass

from .track import Modality


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of one part of a data set; None where nothing is known.

    Attributes:
        identities: different people.
        tracks: tracks.
        frames: frames.
    """

    identities: int | None = None
    tracks: int | None = None
    frames: int | None = None


# A part of a data set: its split ("test" is query and gallery together), its modality (None: both)
# and whether tracks that the reader's filter drops are counted too.
Part = tuple[str, Modality | None, bool]

V, I = Modality.VISIBLE, Modality.INFRARED  # noqa: E741

PUBLISHED: dict[str, dict[Part, Counts]] = {
    "hitsz-vcm": {
        ("train", I, False): Counts(tracks=4_291),
        ("train", V, False): Counts(tracks=5_460),
        ("train", None, False): Counts(500, 9_751, 224_757),
        ("train", None, True): Counts(tracks=11_061, frames=232_496),
        ("query", I, False): Counts(tracks=4_584),
        ("query", I, True): Counts(tracks=5_159),
        ("gallery", V, False): Counts(tracks=5_099),
        ("gallery", V, True): Counts(tracks=5_643),
        ("test", None, True): Counts(tracks=10_802, frames=230_763),
    },
    "bupt-campus": {
        ("train", I, False): Counts(tracks=3_574),
        ("train", V, False): Counts(tracks=3_574),
        ("train", None, False): Counts(1_074, 7_148, 796_138),
        ("auxiliary", None, False): Counts(930, 1_860),
        ("query", I, False): Counts(tracks=536),
        ("query", V, False): Counts(tracks=540),
        ("query", None, False): Counts(1_076, 1_076),
        ("gallery", I, False): Counts(tracks=2_422),
        ("gallery", V, False): Counts(tracks=2_422),
        ("gallery", None, False): Counts(1_076, 4_844),
    },
}
