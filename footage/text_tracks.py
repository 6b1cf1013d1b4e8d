"""Tracks as lines of text: MOT Challenge, and CSV with column names."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..reading import shortened
from .tracks import Row

MOT_COLUMNS = "frame, track, left, top, width, height[, confidence, class, visibility]"
_PEDESTRIAN = 1  # among the classes of MOT16 to MOT20; -1 stands where there are none
CSV_COLUMNS = ("frame", "track", "left", "top")
CSV_SIZES = (("width", "height"), ("right", "bottom"))


def mot_rows(path: Path, text: str) -> list[Row]:
    """Boxes of a file in the format of the MOT Challenge, results or ground truth.

    Args:
        path: for messages.
        text: a box a line; commas or spaces between the numbers. Rows of ground truth that are
            marked as not to be considered, or as another class than a pedestrian, are left out.

    Raises:
        ValueError: a line is something else; names it.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        words = line.replace(",", " ").split()
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) < 6:
            raise ValueError(f"{where}: expected {MOT_COLUMNS}; found {shortened(line)}")
        confidence = values[6] if len(values) > 6 else None
        kind = values[7] if len(values) > 7 else -1
        if kind >= 1 and (kind != _PEDESTRIAN or not confidence):
            continue
        if confidence is not None and confidence < 0:
            confidence = None  # how trackers without one fill the column
        rows.append(Row(where, *_whole(where, values[0], values[1]), _box(values[2:6]), confidence))
    return rows


def csv_rows(path: Path, text: str) -> list[tuple[str, Row]]:
    """Boxes of a table with a line of column names, each with its label.

    Args:
        path: for messages.
        text: columns frame, track, left, top, and width, height or right, bottom; optional are
            confidence and label, and others are ignored.

    Raises:
        ValueError: a column is missing, or a cell is no number; names the line.
    """
    lines = csv.reader(io.StringIO(text, newline=""))
    columns = [name.strip().lower() for name in next(lines, [])]
    size = next((pair for pair in CSV_SIZES if set(pair) <= set(columns)), None)
    if size is None or not set(CSV_COLUMNS) <= set(columns):
        raise ValueError(
            f"{path}: the columns should be frame, track, left, top, width, height (or right, "
            f"bottom), and may be confidence, label; found {shortened(', '.join(columns))}"
        )
    rows = []
    try:
        for cells in lines:
            where = f"{path}, line {lines.line_num}"
            if not cells:
                continue
            if len(cells) != len(columns):
                raise ValueError(f"{where}: {len(columns)} cells expected, {len(cells)} found")
            row = dict(zip(columns, cells))
            try:
                values = [float(row[name]) for name in (*CSV_COLUMNS, *size)]
                told = row.get("confidence", "").strip()
                confidence = float(told) if told else None
            except ValueError as error:
                raise ValueError(f"{where}: a cell is no number ({error})") from error
            frame, track, left, top, wide, high = values
            if size == CSV_SIZES[1]:
                wide, high = wide - left, high - top
            numbers = _whole(where, frame, track)
            box = _box([left, top, wide, high])
            rows.append((row.get("label", "").strip(), Row(where, *numbers, box, confidence)))
    except csv.Error as error:
        raise ValueError(f"{path}, line {lines.line_num}: {error}") from error
    return rows


def _whole(where: str, frame: float, track: float) -> tuple[int, int]:
    """Frame and track as whole numbers; trackers also write them as 1.0."""
    for name, value in (("frame", frame), ("track", track)):
        if not value.is_integer():
            raise ValueError(f"{where}: {name} {value:g} is no whole number")
    return int(frame), int(track)


def _box(values: list[float]) -> tuple[float, float, float, float]:
    left, top, width, height = values
    return left, top, width, height
