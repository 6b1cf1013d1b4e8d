"""``vireid crop``: cuts tracks out of video."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..datasets.times import format_time, parse_time
from ..datasets.track import Modality
from ..footage.errors import FootageError
from ..footage.options import CropOptions, FootageOptions
from ..footage.reasons import left_out
from ..options import option

if TYPE_CHECKING:
    from ..footage.tracks import Tracks


@dataclass(frozen=True, kw_only=True)
class CropSettings(CropOptions, FootageOptions):
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


def run_crop(config: CropSettings) -> int:
    """Crops the videos one after the other, and says what was left out."""
    from ..folder_lock import FolderLock
    from ..footage.crop import Footage, crop_footage, safe_name
    from ..footage.video import open_video
    from ..footage.video_tracks import tracks_of_video

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
        tracks = tracks_of_video(config.tracks, video, config, videos=len(config.video))
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
    told = left_out(counts)
    if others:
        told.append(f"{others:,} boxes of other labels than people")
    lines += [f"  left out: {what}" for what in told]
    if not counts["tracklets"]:
        lines.append("  nothing is left: loosen the rule that left out most")
    return "\n".join(lines)
