"""A table of tracks on disk, as run folders hold them for training and for test tracks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..reading import read_table, shortened, whole_number
from .track import Modality, Track

TRACK_COLUMNS = ("index", "key", "split", "modality", "camera", "identity", "frames")
SHOWN_FRAMES = 6
NAMES = tuple(modality.name.lower() for modality in Modality)


def track_table(tracks: Sequence[Track], splits: Sequence[str], root: Path) -> str:
    """The text of such a table.

    Args:
        tracks: tracks in the order of their features.
        splits: split of each track.
        root: data folder; frames below it are written relative to it, up to six of a track.
    """
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(TRACK_COLUMNS)
    for index, (track, split) in enumerate(zip(tracks, splits)):
        last = len(track.frames) - 1
        picked = np.linspace(0, last, min(SHOWN_FRAMES, last + 1)).round().astype(int)
        frames = [track.frames[i] for i in picked]
        names = [(f.relative_to(root) if f.is_relative_to(root) else f).as_posix() for f in frames]
        name = track.modality.name.lower()
        rows.writerow(
            (index, track.key, split, name, track.camera, track.identity, "|".join(names))
        )
    return table.getvalue()


def read_track_table(
    path: Path, root: Path, columns: tuple[str, ...] = TRACK_COLUMNS
) -> tuple[list[Track], list[dict[str, str]]]:
    """Reads a table of tracks.

    Args:
        path: the CSV file.
        root: data folder, below which the frames lie.
        columns: what it should hold; without ``frames`` the tracks have none.

    Returns:
        The tracks and their rows, in the order of the file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no table, the columns are others, or a row is malformed.
    """
    found, rows = read_table(path)
    if found != columns:
        raise ValueError(
            f"{path}: the columns should be {', '.join(columns)}; "
            f"found {shortened(', '.join(found) or 'none')}"
        )
    tracks = []
    for number, row in enumerate(rows, start=2):
        try:
            tracks.append(_track({"frames": "", **row}, root))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not a track: {error}") from error
    return tracks, rows


def _track(row: dict[str, str], root: Path) -> Track:
    if row["modality"] not in NAMES:
        raise ValueError(f"expected {' or '.join(NAMES)}, found {shortened(row['modality'])}")
    frames = [frame for frame in row["frames"].split("|") if frame]
    if any("\0" in frame for frame in frames):
        raise ValueError("a frame's name holds a NUL byte")
    return Track(
        frames=tuple(root / frame for frame in frames),
        modality=Modality[row["modality"].upper()],
        camera=whole_number(row["camera"]),
        identity=whole_number(row["identity"]) if row["identity"] else None,
        key=row["key"],
    )
