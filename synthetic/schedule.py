"""Who is seen where, how often and for how long, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..datasets.track import Modality
from .presets import Preset
from .streams import Stream, stream

IMAGES_A_WALK = 4  # of an image set: one camera's images of a person come from a few walks
MOST_CAMERAS = 6  # of a modality: twelve in all, as HITSZ-VCM has
MIN_SHORT, MAX_SHORT = 5, 11  # lengths of the tracklets that a filter at 12 frames drops


@dataclass(frozen=True, slots=True)
class PlannedTrack:
    """A tracklet to be rendered.

    Attributes:
        split: "train", "query", "gallery", "auxiliary", or "" where no list names it.
        person: number of the person, as on disk.
        modality: spectrum.
        camera: number of the camera, as the layout counts it.
        place: which of its kind the camera is; decides the viewing angle.
        track: number of the tracklet among those of this person and camera, from 1.
        frames: number of frames.
        first: number of the first frame; tracklets of a person and camera do not overlap.
    """

    split: str
    person: int
    modality: Modality
    camera: int
    place: int
    track: int
    frames: int
    first: int


class Layout(Protocol):
    """What a layout on disk has to say."""

    name: str
    min_frames: int
    sizes: Mapping[str, Preset]
    images: bool  # whether every frame is a track of its own
    any_cameras: bool  # whether there may be another number of cameras than the original has
    folders: Sequence[str]  # that exist even where nobody was seen, relative to the root

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All tracklets of a set of this size and seed, in file order."""

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """File of a frame (counted from 0) relative to the root, with forward slashes."""

    def index_files(
        self, tracks: Sequence[PlannedTrack], preset: Preset, seed: int
    ) -> dict[str, str]:
        """Text files that describe the set: path relative to the root -> content."""


def draw_walks(rng: np.random.Generator, preset: Preset) -> list[tuple[int, int, int]]:
    """Walks that give a camera its images of one person: number, images, number of the first."""
    count = int(rng.integers(preset.tracklets[0], preset.tracklets[1] + 1))
    starts = range(0, count, IMAGES_A_WALK)
    return [
        (walk, min(IMAGES_A_WALK, count - start), start + 1)
        for walk, start in enumerate(starts, start=1)
    ]


def unshared_people(
    people: Sequence[int], preset: Preset, seed: int, trial: int = 0
) -> dict[int, Modality]:
    """Which training people have no partner in the other modality.

    Args:
        people: training people.
        preset: its `unshared` is their share, rounded to whole people.
        seed: seed of the set.
        trial: another trial chooses other people.

    Returns:
        Person to the one modality that they are seen in: visible and infrared in turn. A larger
        share adds people to those of a smaller one.
    """
    number = int(preset.unshared * len(people) + 0.5)
    order = stream(seed, Stream.UNSHARED, trial).permutation(len(people))
    return {people[int(i)]: Modality(place % 2) for place, i in enumerate(order[:number])}


def sightings_by_camera(preset: Preset, cameras: int, person: int) -> list[int | None]:
    """Tracklets that each of the cameras gets of a person.

    Args:
        preset: its `sightings` are spread evenly.
        cameras: number of cameras that see the person.
        person: number of the person; what is left over goes to other cameras with the next one.

    Returns:
        A number for each camera; None where the preset leaves it to be drawn.
    """
    if preset.sightings is None:
        return [None] * cameras
    each, left = divmod(preset.sightings, cameras)
    return [each + ((place + person) % cameras < left) for place in range(cameras)]


def draw_length(rng: np.random.Generator, preset: Preset, *, full: bool) -> int:
    """Frames of a tracklet; some are short unless `full`."""
    length = int(rng.integers(preset.frames[0], preset.frames[1] + 1))
    short = int(rng.integers(MIN_SHORT, MAX_SHORT + 1))
    return short if rng.random() < preset.short_share and not full else length


def draw_cameras(rng: np.random.Generator, cameras: int, seen_by: tuple[int, int]) -> list[int]:
    """Which of the cameras 0..cameras-1 see a person, ascending; most often nearly all do."""
    low, high = min(seen_by[0], cameras), min(seen_by[1], cameras)
    count = max(int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1)))
    return sorted(int(i) for i in rng.permutation(cameras)[:count])


def count_tracks(
    tracks: Sequence[PlannedTrack], min_frames: int, *, images: bool = False
) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Identities, tracks and frames of each split and modality.

    Args:
        tracks: the plan.
        min_frames: shorter tracks are dropped by the layout's readers.
        images: every frame is a track of its own.

    Returns:
        split -> modality -> "before" or "after" that filter -> count of each kind.
    """
    counts: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for split in ("train", "auxiliary", "query", "gallery"):
        rows = [track for track in tracks if track.split == split]
        if not rows:
            continue
        counts[split] = {}
        for modality in Modality:
            these = [track for track in rows if track.modality is modality]
            if not these:  # infrared queries have no visible side, for instance
                continue
            kept = [track for track in these if track.frames >= min_frames]
            counts[split][modality.name.lower()] = {
                "before": _count(these, images),
                "after": _count(kept, images),
            }
    return counts


def _count(tracks: Sequence[PlannedTrack], images: bool) -> dict[str, int]:
    frames = sum(track.frames for track in tracks)
    return {
        "identities": len({track.person for track in tracks}),
        "tracks": frames if images else len(tracks),
        "frames": frames,
    }
