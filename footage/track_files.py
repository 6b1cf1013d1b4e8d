"""Reads the files that trackers and annotation tools write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ..errors import shorten
from ..reading import parse_json, read_bytes, shortened
from .coco_tracks import coco_rows
from .cvat_tracks import cvat_rows
from .errors import FootageError
from .text_tracks import csv_rows, mot_rows
from .tracks import Row, Tracks, gather

TracksFormat = Literal["mot", "cvat", "coco", "csv"]
FIRST_FRAME = {"mot": 1, "cvat": 0, "coco": 0, "csv": 1}
PEOPLE = ("person", "pedestrian", "people", "human")


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds.

    Attributes:
        rows: boxes, with the label of each; "" where the format has none.
        size: width and height of the pictures, where it is stated.
        rate: frames a second, where it is stated.
    """

    rows: list[tuple[str, Row]]
    size: tuple[int, int] | None = None
    rate: float | None = None


def read_tracks(
    path: Path,
    kind: TracksFormat | None = None,
    *,
    first_frame: int | None = None,
    label: str | None = None,
    video: str | None = None,
) -> Tracks:
    """The tracks of a file.

    Args:
        path: MOT Challenge text, CVAT for video (XML), COCO video (JSON) or CSV with column names.
        kind: which of these; None looks at the content.
        first_frame: number of the first frame in the file; None: as the format has it, 1 for MOT
            and CSV, 0 for CVAT and COCO.
        label: which label or category is tracked; None takes those named like a person.
        video: which video of a COCO file of several, by its name, with or without an ending.

    Raises:
        FootageError: the file cannot be read, is of no known format, malformed, or empty.
    """
    try:
        data = read_bytes(path)
    except OSError as error:
        raise FootageError(f"--tracks {path}: {error.strerror}. Give a tracker's file") from error
    except ValueError as error:
        raise FootageError(f"--tracks {path}: {error}") from error
    kind = kind or _format(path, data)
    try:
        found = _READERS[kind](path, data, video)
        rows, others = _people(path, found.rows, label)
        first = FIRST_FRAME[kind] if first_frame is None else first_frame
        tracks = gather(rows, first, found.size, found.rate, others)
    except ValueError as error:
        raise FootageError(f"--tracks {error}") from error
    if not len(tracks):
        raise FootageError(
            f"--tracks {path} holds no box (read as {kind}). Was the tracker's output written, and "
            f"is it {kind}? --tracks-format says otherwise"
        )
    return tracks


def at_video_rate(tracks: Tracks, rate: float, video_rate: float) -> Tracks:
    """Tracks whose frames count more slowly than the video's, on the video's frames.

    Args:
        tracks: frames count ``rate`` a second.
        rate: frames a second of the tracks, at most those of the video.
        video_rate: frames a second of the video.
    """
    frame = np.round(tracks.frame * (video_rate / rate)).astype(np.int64)
    return replace(tracks, frame=frame)


def _format(path: Path, data: bytes) -> TracksFormat:
    """Which format the content begins like."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        return "cvat"
    if start in (b"{", b"["):
        return "coco"
    if start.isdigit() or not start:
        return "mot"
    if start.isalpha() or start == b'"':
        return "csv"
    raise FootageError(
        f"--tracks {path} begins with {shortened(data[:20])}, like none of "
        f"{', '.join(get_args(TracksFormat))}. Give a tracker's text, XML or JSON file"
    )


def _people(path: Path, rows: list[tuple[str, Row]], label: str | None) -> tuple[list[Row], int]:
    """Rows of the label that is wanted, and the number of the others."""
    labels = {name for name, _ in rows if name}
    if not labels:
        return [row for _, row in rows], 0
    wanted = {label} if label else {name for name in labels if name.lower() in PEOPLE}
    if not wanted & labels:
        asked = repr(label) if label else "a person"
        raise ValueError(
            f"{path}: no track is labelled {asked}; its labels are {shorten(sorted(labels))}. "
            "Choose one with --label"
        )
    kept = [row for name, row in rows if name in wanted]
    return kept, len(rows) - len(kept)


def _mot(path: Path, data: bytes, video: str | None) -> Found:
    return Found([("", row) for row in mot_rows(path, _text(path, data))])


def _csv(path: Path, data: bytes, video: str | None) -> Found:
    return Found(csv_rows(path, _text(path, data)))


def _cvat(path: Path, data: bytes, video: str | None) -> Found:
    return Found(*cvat_rows(path, data))


def _coco(path: Path, data: bytes, video: str | None) -> Found:
    try:
        content = parse_json(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Found(*coco_rows(path, content, video))


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text ({error.reason} at byte {error.start})") from error


_READERS: dict[str, Callable[[Path, bytes, str | None], Found]] = {
    "mot": _mot,
    "csv": _csv,
    "cvat": _cvat,
    "coco": _coco,
}
