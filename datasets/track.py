"""The one record of the toolkit: a track of frames, and a data set of tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path


class Modality(IntEnum):
    """Spectrum of a camera."""

    VISIBLE = 0
    INFRARED = 1

    @property
    def other(self) -> Modality:
        """The opposite modality."""
        return Modality.INFRARED if self is Modality.VISIBLE else Modality.VISIBLE


@dataclass(frozen=True, slots=True)
class Track:
    """One sighting of one person by one camera; an image is a track of one frame.

    Attributes:
        frames: image files in time order, at least one.
        modality: spectrum of the camera.
        camera: camera number as the data set counts it.
        identity: person number of the data set (not relabelled), None where unknown.
        key: name of the track, stable between runs and machines, unique in its data set.
        times: seconds of each frame, on one clock for all cameras; empty where nobody knows.
    """

    frames: tuple[Path, ...]
    modality: Modality
    camera: int
    identity: int | None
    key: str
    times: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Tracks of one data set, as its reader found them.

    Attributes:
        name: registered name, for instance ``hitsz-vcm``.
        root: folder that was read.
        train: training tracks of both modalities.
        query: query tracks of the test split; footage without identities has none.
        gallery: gallery tracks of the test split; the same.
        options: reader options that change the content (trial, mode, …), for the record.
    """

    name: str
    root: Path
    train: Sequence[Track]
    query: Sequence[Track]
    gallery: Sequence[Track]
    options: dict[str, object] = field(default_factory=dict)
