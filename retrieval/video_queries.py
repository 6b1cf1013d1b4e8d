"""Queries straight from a video: its tracks are cropped into a folder that goes away again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..datasets.track import Modality
from ..errors import UserError, shorten
from ..footage.crop import Footage, crop_footage, safe_name
from ..footage.options import CropOptions, FootageOptions
from ..footage.reasons import left_out
from ..footage.tracks import Tracks
from ..footage.video import open_video
from ..footage.video_tracks import tracks_of_video
from .sightings import Sighting, sightings_of

START = "0"


@dataclass(frozen=True)
class VideoQuery:
    """A video, and who of its tracks is looked for.

    Attributes:
        video: a file, or a folder of images.
        tracks: a tracker's file, or a folder that holds one of the video's name.
        modality: spectrum of the video.
        track: the tracker's number of one track; None takes all.
        camera: name of the camera; empty where it does not matter.
        start: when the video begins; None where that is not known.
    """

    video: Path
    tracks: Path
    modality: Modality
    track: int | None = None
    camera: str = ""
    start: str | None = None


@contextmanager
def video_sightings(
    asked: VideoQuery, reading: FootageOptions, rules: CropOptions
) -> Iterator[list[Sighting]]:
    """Tracklets of a video, by the readers and rules of ``vireid crop``.

    Args:
        asked: the video, and whose tracks.
        reading: how video and tracks are read.
        rules: which crops are left out.

    Yields:
        The tracklets, with keys such as ``hall-17``, video and track. Their crops lie in a
        temporary folder, which is removed at the end.

    Raises:
        FootageError: video, tracks and modality do not fit together.
        UserError: there is no such track, or the rules leave nothing of it.
    """
    video = open_video(asked.video, reading.frame_rate)
    tracks = tracks_of_video(asked.tracks, video, reading)
    if asked.track is not None:
        tracks = _only(tracks, asked.track, asked.tracks)
    file = asked.video
    name = safe_name(file.stem if file.is_file() else file.name)
    camera = safe_name(asked.camera or "query")
    footage = Footage(video, tracks, camera, asked.modality, asked.start or START, name)
    with TemporaryDirectory(prefix="vireid-query-") as folder:
        root = Path(folder)
        counts, _ = crop_footage(
            footage,
            root,
            rules,
            any_colour=reading.any_colour,
            allow_incomplete=reading.allow_incomplete,
        )
        if not counts["tracklets"]:
            whose = "its tracks" if asked.track is None else f"track {asked.track}"
            raise UserError(
                f"--query {file}: no crop of {whose} is left: "
                f"{', '.join(left_out(counts))}. Loosen the rule that left out most"
            )
        yield [_as_query(one, asked) for one in sightings_of(root)]


def _only(tracks: Tracks, wanted: int, file: Path) -> Tracks:
    known = sorted(set(tracks.track.tolist()))
    if wanted not in known:
        raise UserError(
            f"--track {wanted}: {file} has no such track; it has {shorten([*map(str, known)], 20)}"
        )
    return tracks.of(wanted)


def _as_query(one: Sighting, asked: VideoQuery) -> Sighting:
    """Under the tracklet's own name; camera and times only where they were said."""
    track = replace(one.track, key=one.track.key.rsplit("/", 1)[1])
    if asked.start is None:
        track = replace(track, times=())
    return Sighting(track, asked.camera)
