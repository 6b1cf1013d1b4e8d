"""``vireid crop``: cuts tracks out of video."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..datasets.times import format_time, parse_time
from ..datasets.track import Modality
from ..footage.errors import FootageError
from ..footage.options import CropOptions
from ..options import option

if TYPE_CHECKING:
    from ..footage.tracks import Tracks
    from ..footage.video import Video

REASONS = {
    "outside": "outside the picture",
    "unsure": "below --min-confidence",
    "small": "lower than --min-height",
    "cut": "at the picture's edge (--border)",
    "covered": "covered (--max-overlap)",
    "between": "between two taken ones (--every)",
    "blurred": "blurred (--min-sharpness)",
    "short": "in tracklets of too few crops (--min-frames)",
}
ENDINGS = (".txt", ".csv", ".xml", ".json")


@dataclass(frozen=True, kw_only=True)
class CropSettings(CropOptions):
    """Which video, whose tracks, and where the crops go."""

    video: list[Path] = option("video files, or folders of images, of one camera")
    tracks: Path = option("a tracker's file; for several videos a folder with a file of each name")
    camera: str = option("name of the camera; cam4 counts as camera 4")
    modality: Literal["visible", "infrared"] = option("spectrum of the camera")
    output: Path = option("folder of crops; other cameras may be in it already")
    start: str = option(
        "when the first video begins: 2026-05-01T12:00:00, or seconds; others follow on it", "0"
    )
    since: str | None = option("leave out tracks that begin before this time", None)
    until: str | None = option(
        "leave out tracks that begin at this time or later; --since takes these", None
    )
    tracks_format: Literal["mot", "cvat", "coco", "csv"] | None = option(
        "format of the tracks; unset: by content", None
    )
    first_frame: int | None = option(
        "number of the first frame in the tracks; unset: by format", None, at_least=0
    )
    label: str | None = option("label that is tracked; unset: the one for people", None)
    tracks_rate: float | None = option(
        "frames a second that the tracks count; unset: those of the video", None, above=0
    )
    frame_rate: float | None = option("frames a second of a folder of images", None, above=0)
    any_colour: bool = option("take visible video without colours, infrared with colours", False)
    allow_incomplete: bool = option("take what there is of tracks that the video cuts off", False)


def run_crop(config: CropSettings) -> int:
    """Crops the videos one after the other, and says what was left out."""
    from ..folder_lock import FolderLock
    from ..footage.crop import Footage, crop_footage, safe_name
    from ..footage.video import open_video

    if config.camera != safe_name(config.camera):
        raise FootageError(
            f"--camera {config.camera!r}: the name is of letters, digits, dots and hyphens, since "
            f"a folder is called by it; for instance {safe_name(config.camera)!r}"
        )
    for flag in ("start", "since", "until"):
        try:
            parse_time(getattr(config, flag) or "0")
        except ValueError as error:
            raise FootageError(f"--{flag}: {error}") from error
    names = [safe_name(path.stem if path.is_file() else path.name) for path in config.video]
    if len(set(names)) < len(names):
        raise FootageError("two of the videos have one name; rename one, or give them one by one")
    # Before anything is written: a mistake in the last file should not show after the first.
    start, parts = config.start, []
    for path, name in zip(config.video, names):
        video = open_video(path, config.frame_rate)
        tracks = _tracks_of(config, path, video)
        modality = Modality[config.modality.upper()]
        tracks = _in_time(config, tracks, parse_time(start), video.rate)
        parts.append(Footage(video, tracks, config.camera, modality, start, name))
        start = format_time(start, video.frames / video.rate)
    config.output.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(config.output, f"--output {config.output}")
    try:
        for footage in parts:
            if not len(footage.tracks):
                print(f"{footage.name}: no track begins in the time from --since to --until")
                continue
            counts, before = crop_footage(
                footage,
                config.output,
                config,
                any_colour=config.any_colour,
                allow_incomplete=config.allow_incomplete,
            )
            print(_summary(footage.name, counts, before, footage.tracks.others))
    finally:
        lock.release()
    return 0


def _tracks_of(config: CropSettings, video: Path, source: Video) -> Tracks:
    from ..footage.track_files import at_video_rate, read_tracks

    path, kind = config.tracks, config.tracks_format
    if path.is_dir():
        files = [path / f"{video.stem}{ending}" for ending in ENDINGS]
        found = [file for file in files if file.is_file()]
        if len(found) != 1:
            raise FootageError(
                f"--tracks {path}: expected one of {', '.join(f.name for f in files)} for {video}; "
                f"found {len(found)}"
            )
        (path,) = found
    elif len(config.video) > 1 and kind != "coco" and path.suffix != ".json":
        raise FootageError(
            f"--tracks {path} is one file, and there are {len(config.video)} videos. Give a folder "
            "that holds a file of each video's name, or crop them one by one"
        )
    tracks = read_tracks(
        path, kind, first_frame=config.first_frame, label=config.label, video=video.name
    )
    stated, rate = tracks.rate, config.tracks_rate or source.rate
    if config.tracks_rate is None and stated and abs(stated / source.rate - 1) > 0.01:
        raise FootageError(
            f"--tracks {path} counts {stated:g} frames a second, and {video} has {source.rate:g}. "
            f"Give --tracks-rate {stated:g}, or, if its frames are the video's all the same, "
            f"--tracks-rate {source.rate:g}"
        )
    if rate > source.rate * 1.01:
        raise FootageError(
            f"--tracks-rate {rate:g} is more than the {source.rate:g} frames a second of {video}; "
            "tracks cannot count frames that the video lacks"
        )
    return (
        tracks if abs(rate / source.rate - 1) <= 0.01 else at_video_rate(tracks, rate, source.rate)
    )


def _in_time(config: CropSettings, tracks: Tracks, start: float, rate: float) -> Tracks:
    """The tracks that begin in the time that is asked for, whole."""
    since, until = (
        bound if text is None else parse_time(text)
        for text, bound in ((config.since, -math.inf), (config.until, math.inf))
    )
    return tracks.beginning(lambda frame: since <= start + frame / rate < until)


def _summary(name: str, counts: dict[str, int], before: bool, others: int) -> str:
    """What was cropped and left out, for a terminal."""
    done = "was cropped before" if before else "cropped"
    lines = [
        f"{name}: {done}: {counts['tracks']:,} tracks, {counts['tracklets']:,} tracklets of "
        f"{counts['crops']:,} crops"
    ]
    told = [(REASONS[key], counts[key]) for key in REASONS if counts.get(key)]
    if others:
        told.append(("of other labels than people", others))
    lines += [f"  left out: {number:,} boxes {reason}" for reason, number in told]
    if not counts["tracklets"]:
        lines.append("  nothing is left: loosen the rule that left out most")
    return "\n".join(lines)
