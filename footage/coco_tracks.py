"""Tracks as COCO for video has them: CocoVID and TAO (JSON)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import shorten
from ..reading import is_number, is_whole, shortened
from .tracks import Row

Contents = tuple[list[tuple[str, Row]], tuple[int, int] | None, float | None]
# The same thing in CocoVID and in TAO.
FRAME_KEYS = ("frame_id", "frame_index")
TRACK_KEYS = ("instance_id", "track_id")


def coco_rows(path: Path, content: Any, video: str | None) -> Contents:
    """Boxes of one video, each with its category, the size of the pictures, and frames a second.

    Args:
        path: for messages.
        content: the parsed file: ``videos``, ``images`` (id, video_id, frame_id or frame_index)
            and ``annotations`` (image_id, instance_id or track_id, bbox).
        video: name of the video, with or without folders and an ending; only looked at where the
            file holds several.

    Raises:
        ValueError: a part is missing or malformed, or the video is not in the file.
    """
    parts = []
    for name in ("images", "annotations"):
        part = content.get(name) if isinstance(content, dict) else None
        if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
            raise ValueError(
                f"{path} has no list `{name}`; expected COCO for video: videos, images with "
                "frame_id, annotations with instance_id"
            )
        parts.append(part)
    images, annotations = parts
    chosen, rate = _video(path, content, video)
    frames: dict[int, int] = {}
    size = None
    for image in images:
        if chosen is not None and image.get("video_id") != chosen:
            continue
        frame: Any = next((image[key] for key in FRAME_KEYS if key in image), None)
        if not is_whole(frame) or not is_whole(image.get("id")):
            raise ValueError(
                f"{path}: image {shortened(image.get('id'))} has no {' or '.join(FRAME_KEYS)}; "
                "expected the number of its frame in the video"
            )
        frames[image["id"]] = frame
        if is_whole(image.get("width")) and is_whole(image.get("height")):
            size = (image["width"], image["height"])
    names = {
        item.get("id"): str(item.get("name", ""))
        for item in content.get("categories") or []
        if isinstance(item, dict)
    }
    rows = [
        (names.get(item.get("category_id"), ""), _row(path, item, frames))
        for item in annotations
        if item.get("image_id") in frames
    ]
    return rows, size, rate


def _video(
    path: Path, content: dict[str, Any], wanted: str | None
) -> tuple[int | None, float | None]:
    """Number and frame rate of the video that is wanted; None where they are not stated."""
    videos = [item for item in content.get("videos") or [] if isinstance(item, dict)]
    if len(videos) > 1:
        names = [Path(str(item.get("name", item.get("file_name", "")))).stem for item in videos]
        stem = Path(wanted or "").stem
        fitting = [item for name, item in zip(names, videos) if name == stem]
        if len(fitting) != 1:
            raise ValueError(
                f"{path} holds {len(videos)} videos, and {len(fitting)} of them are called "
                f"{stem!r}: {shorten(names)}. Rename the video to one of these"
            )
        videos = fitting
    if not videos:
        return None, None
    fps: Any = videos[0].get("fps")
    return videos[0].get("id"), float(fps) if is_number(fps) and fps > 0 else None


def _row(path: Path, item: dict[str, Any], frames: dict[int, int]) -> Row:
    where = f"{path}, annotation {shortened(item.get('id'))}"
    track: Any = next((item[key] for key in TRACK_KEYS if key in item), None)
    box = item.get("bbox")
    if not is_whole(track):
        raise ValueError(
            f"{where} has no {' or '.join(TRACK_KEYS)}; these are detections, and not yet tracks"
        )
    if not isinstance(box, list) or len(box) != 4 or not all(map(is_number, box)):
        raise ValueError(
            f"{where}: bbox should be left, top, width, height; found {shortened(box)}"
        )
    score: Any = item.get("score")
    confidence = float(score) if is_number(score) else None
    hidden = bool(item.get("occluded"))
    left, top, width, height = map(float, box)
    return Row(
        where, frames[item["image_id"]], track, (left, top, width, height), confidence, hidden
    )
