"""Tracks as CVAT exports them for video (XML 1.1)."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ..reading import shortened, whole_number
from .tracks import Row

Contents = tuple[list[tuple[str, Row]], tuple[int, int] | None, float | None]


def cvat_rows(path: Path, data: bytes) -> Contents:
    """Boxes of an export, each with its label, and the size of the pictures.

    Boxes that are outside of the picture end or interrupt a track. Between two key frames that
    stand without those between them, as some tools write, boxes lie on a straight line, as CVAT
    itself draws them.

    Args:
        path: for messages.
        data: the file.

    Raises:
        ValueError: it is no XML, no export for video, or a box is malformed.
    """
    if b"<!ENTITY" in data:
        raise ValueError(f"{path} declares entities, as no export does")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"{path} is no XML ({error})") from error
    tracks = root.findall("track")
    if root.tag != "annotations" or (not tracks and root.find("image") is not None):
        raise ValueError(
            f"{path} is no export for video (its <{shortened(root.tag)[1:-1]}> holds no track); "
            "export the task once more, as `CVAT for video 1.1`"
        )
    rows: list[tuple[str, Row]] = []
    for number, track in enumerate(tracks):
        label = track.get("label", "")
        for row in _track(path, number, track):
            rows.append((label, row))
    return rows, _size(root), None


def _track(path: Path, number: int, track: ElementTree.Element) -> list[Row]:
    where = f"{path}, track {track.get('id', number)}"
    try:
        name = whole_number(track.get("id", str(number)))
        found = [(_row(where, name, box), box.get("outside") == "1") for box in track.iter("box")]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error
    found.sort(key=lambda pair: pair[0].frame)
    rows: list[Row] = []
    for (row, outside), (following, _) in zip(found, [*found[1:], found[-1]] if found else []):
        if not outside:
            rows.append(row)
            rows += _between(row, following)
    return rows


def _row(where: str, track: int, box: ElementTree.Element) -> Row:
    frame = whole_number(box.get("frame", ""))
    left, top, right, bottom = (float(box.get(k, "nan")) for k in ("xtl", "ytl", "xbr", "ybr"))
    hidden = box.get("occluded") == "1"
    place = f"{where}, frame {frame}"
    return Row(place, frame, track, (left, top, right - left, bottom - top), None, hidden)


def _between(row: Row, following: Row) -> list[Row]:
    """Boxes of the frames between two key frames."""
    steps = following.frame - row.frame
    rows = []
    for step in range(1, steps):
        share = step / steps
        left, top, width, height = (a + (b - a) * share for a, b in zip(row.box, following.box))
        box = (left, top, width, height)
        rows.append(Row(row.where, row.frame + step, row.track, box, None, row.hidden))
    return rows


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    size = root.find(".//original_size")
    try:
        width, height = (
            int(size.findtext(name, "")) if size is not None else 0 for name in ("width", "height")
        )
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None
