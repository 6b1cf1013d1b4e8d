"""Tracklets of a folder with the camera's name and the time, as an index keeps them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..datasets.crop_tables import read_crop_times
from ..datasets.errors import DatasetError
from ..datasets.folder_scan import SUFFIXES, Problems, entries
from ..datasets.frames import UnreadableFrame, read_frame
from ..datasets.load import scan_dataset
from ..datasets.registry import dataset_spec
from ..datasets.track import Modality, Track
from ..errors import UserError

OWN = "folder"  # the layout of plain folders, whose keys are the paths of the tracklets
SPLITS = ("train", "query", "gallery")


@dataclass(frozen=True)
class Sighting:
    """One tracklet as an index keeps it.

    Attributes:
        track: its frames, their times, modality and key.
        camera: name of the camera.
    """

    track: Track
    camera: str

    @property
    def start(self) -> float | None:
        """Seconds of the first frame; None where the times are not known."""
        return min(self.track.times, default=None)

    @property
    def end(self) -> float | None:
        """Seconds of the last frame; None where the times are not known."""
        return max(self.track.times, default=None)

    def content(self) -> str:
        """Fingerprint of everything that an index takes from the tracklet: frames and facts."""
        found = hashlib.blake2b(digest_size=16)
        facts = (int(self.track.modality), self.camera, self.start, self.end)
        found.update(repr(facts).encode())
        for path in self.track.frames:
            try:
                data = read_frame(path)
            except UnreadableFrame:
                data = b""  # whoever reads the clip decides what becomes of it
            found.update(len(data).to_bytes(8, "little") + data)
        return found.hexdigest()


def sightings_of(folder: Path, dataset: str = OWN, prefix: str = "") -> list[Sighting]:
    """All tracklets of a folder, whatever their split.

    Args:
        folder: of the data set; plain folders may hold a ``tracks.csv`` of when frames were taken.
        dataset: name of its layout.
        prefix: stands before each key, with a ``/`` between.

    Raises:
        DatasetError: the folder has another layout, holds no tracklet, or its ``tracks.csv`` is
            malformed.
    """
    spec = dataset_spec(dataset)
    scan = scan_dataset(spec, folder, Problems(), spec.reader_options(1))
    tracks = {track.key: track for part in scan.parts() for track in part}
    if not tracks:
        raise DatasetError(f"{folder} holds no tracklet; fill it, or give another folder")
    found = {key: Sighting(track, spec.camera_name(track)) for key, track in tracks.items()}
    start = f"{prefix}/" if prefix else ""
    return [
        replace(one, track=replace(one.track, key=start + one.track.key)) for one in found.values()
    ]


def query_sightings(path: Path, dataset: str, modality: Modality | None) -> list[Sighting]:
    """What a path given as a query shows.

    Args:
        path: a data set's folder, a tracklet's, or one picture.
        dataset: layout of the data set.
        modality: of a tracklet; of a data set, None takes both.

    Raises:
        DatasetError, UserError: it holds no tracklet.
    """
    whole = path.is_dir() and (
        dataset_spec(dataset).name != OWN or any((path / split).is_dir() for split in SPLITS)
    )
    if not whole:
        return [sighting_of(path, modality)]
    found = sightings_of(path, dataset)
    chosen = [one for one in found if modality in (None, one.track.modality)]
    if not chosen:
        assert modality is not None
        raise UserError(f"--query {path} holds no {modality.name.lower()} tracklet")
    return chosen


def sighting_of(path: Path, modality: Modality | None) -> Sighting:
    """A single tracklet: a folder of frames, or one picture.

    Args:
        path: what holds the frames.
        modality: its spectrum; None reads it off the folders above, as plain folders name them.

    Raises:
        UserError: there is no frame, or nothing says which spectrum it is.
    """
    try:
        inside = entries(path) if path.is_dir() else [path]
    except OSError as error:
        raise UserError(f"{path} cannot be listed ({error.strerror}); make it readable") from error
    frames = tuple(file for file in inside if file.suffix.lower() in SUFFIXES)
    if not frames:
        raise UserError(
            f"--query {path} holds no frame ({', '.join(sorted(SUFFIXES))}) and is no folder with "
            f"{', '.join(SPLITS)}; give a tracklet's folder, or that of a data set. A video takes "
            "its tracks (--tracks FILE)"
        )
    above = path.absolute().parts[::-1]
    if modality is None:
        names = {one.name.lower(): one for one in Modality}
        modality = next((names[part] for part in above if part in names), None)
    if modality is None:
        raise UserError(
            f"--query {path}: no folder above says visible or infrared; add --query-modality"
        )
    track = Track(frames, modality, 0, None, path.as_posix())
    own = len(above) > 4 and above[2] in ("visible", "infrared") and above[4] in SPLITS
    if not own:
        return Sighting(track, "")
    root = path.absolute().parents[4]
    key = "/".join(above[4::-1])
    seen = read_crop_times(root).get((above[2], above[1], above[0]), {})
    times = tuple(seen[frame.name] for frame in frames if frame.name in seen)
    known = times if len(times) == len(frames) else ()
    return Sighting(replace(track, key=key, times=known), above[1])


def by_modality(sightings: Iterable[Sighting]) -> dict[Modality, int]:
    """How many tracklets each modality has.

    Args:
        sightings: any number.
    """
    counts = dict.fromkeys(Modality, 0)
    for sighting in sightings:
        counts[sighting.track.modality] += 1
    return counts


def duplicates(sightings: Sequence[Sighting]) -> list[str]:
    """Keys that several tracklets have, sorted.

    Args:
        sightings: any number.
    """
    seen: set[str] = set()
    twice: set[str] = set()
    for one in sightings:
        (twice if one.track.key in seen else seen).add(one.track.key)
    return sorted(twice)
