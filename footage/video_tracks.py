"""The tracks of a video, from the file or folder that was given for it, on the video's frames."""

from __future__ import annotations

from pathlib import Path

from .errors import FootageError
from .options import FootageOptions
from .track_files import at_video_rate, read_tracks
from .tracks import Tracks
from .video import Video

ENDINGS = (".txt", ".csv", ".xml", ".json")


def tracks_of_video(
    path: Path, video: Video, options: FootageOptions, *, videos: int = 1
) -> Tracks:
    """Reads the tracks of a video.

    Args:
        path: a tracker's file, or a folder that holds one of the video's name.
        video: what was tracked.
        options: how both count.
        videos: for how many of them the path was given.

    Raises:
        FootageError: there is no such file, it is malformed, or the rates do not fit.
    """
    name = video.path
    if path.is_dir():
        files = [path / f"{name.stem}{ending}" for ending in ENDINGS]
        found = [file for file in files if file.is_file()]
        if len(found) != 1:
            raise FootageError(
                f"--tracks {path}: expected one of {', '.join(f.name for f in files)} for {name}; "
                f"found {len(found)}"
            )
        (path,) = found
    elif videos > 1 and options.tracks_format != "coco" and path.suffix != ".json":
        raise FootageError(
            f"--tracks {path} is one file, and there are {videos} videos. Give a folder that "
            "holds a file of each video's name, or crop them one by one"
        )
    tracks = read_tracks(
        path,
        options.tracks_format,
        first_frame=options.first_frame,
        label=options.label,
        video=name.name,
    )
    stated, rate = tracks.rate, options.tracks_rate or video.rate
    if options.tracks_rate is None and stated and abs(stated / video.rate - 1) > 0.01:
        raise FootageError(
            f"--tracks {path} counts {stated:g} frames a second, and {name} has {video.rate:g}. "
            f"Give --tracks-rate {stated:g}, or, if its frames are the video's all the same, "
            f"--tracks-rate {video.rate:g}"
        )
    if rate > video.rate * 1.01:
        raise FootageError(
            f"--tracks-rate {rate:g} is more than the {video.rate:g} frames a second of {name}; "
            "tracks cannot count frames that the video lacks"
        )
    same = abs(rate / video.rate - 1) <= 0.01
    return tracks if same else at_video_rate(tracks, rate, video.rate)
