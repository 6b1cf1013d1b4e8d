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


def _images(number: int, identities: int | None = None) -> Counts:
    """Counts of single images: each is a track of one frame."""
    return Counts(identities, number, number)


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
    "sysu-mm01": {
        ("train", V, False): _images(22_258),
        ("train", I, False): _images(11_909),
        ("train", None, False): _images(34_167, 395),
        ("query", I, False): _images(3_803),
        ("test", None, False): Counts(96),
    },
    "regdb": {
        ("train", V, False): _images(2_060, 206),
        ("train", I, False): _images(2_060, 206),
        ("query", V, False): _images(2_060, 206),
        ("gallery", I, False): _images(2_060, 206),
    },
    "llcm": {
        ("train", V, False): _images(16_946),
        ("train", I, False): _images(13_975),
        ("train", None, False): _images(30_921, 713),
        ("test", None, False): Counts(351),
    },
}

# Pairs of person and camera among the gallery images: one image of each is a single-shot gallery.
GALLERY_PAIRS = {"sysu-mm01": 301}


@dataclass(frozen=True, slots=True)
class KnownFault:
    """A damage that many copies have, known by its counts.

    Attributes:
        counts: each of these alone gives it away.
        meaning: what is wrong and what to do.
    """

    counts: dict[Part, Counts]
    meaning: str


KNOWN_FAULTS: dict[str, tuple[KnownFault, ...]] = {
    "sysu-mm01": (
        KnownFault(
            {("train", V, False): Counts(tracks=20_284), ("train", I, False): Counts(tracks=9_927)},
            "the images of exp/train_id.txt alone: those of exp/val_id.txt are missing, and the "
            "published results train on both; copy exp/val_id.txt from the original archive",
        ),
        KnownFault(
            {("train", None, False): Counts(367), ("train", I, False): Counts(tracks=11_333)},
            "a widespread incomplete copy of 367 people and 11,333 infrared training images: 28 "
            "people of the lists are missing; unpack the original archive again",
        ),
    ),
}
