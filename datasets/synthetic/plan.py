"""Who is seen where, how often and for how long: the plan of a set, before anything is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..track import Modality
from .presets import Preset

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

    def plan(self, preset: Preset, seed: int) -> list[PlannedTrack]:
        """All tracklets, in file order."""

    def frame_path(self, track: PlannedTrack, index: int) -> str:
        """File of a frame (counted from 0) relative to the root, with forward slashes."""

    def index_files(self, tracks: Sequence[PlannedTrack]) -> dict[str, str]:
        """Text files that describe the set: path relative to the root -> content."""


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
    tracks: Sequence[PlannedTrack], min_frames: int
) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Identities, tracks and frames of each split and modality.

    Args:
        tracks: the plan.
        min_frames: shorter tracks are dropped by the layout's readers.

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
                "before": _count(these),
                "after": _count(kept),
            }
    return counts


def _count(tracks: Sequence[PlannedTrack]) -> dict[str, int]:
    return {
        "identities": len({track.person for track in tracks}),
        "tracks": len(tracks),
        "frames": sum(track.frames for track in tracks),
    }
