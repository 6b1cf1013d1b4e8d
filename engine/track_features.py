"""Features of any tracks by a finished network: what ranks or stores them, without a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from ..datasets.track import Track
from ..models.network import Network
from .extraction import Extraction
from .feature_room import FeatureRoom
from .frame_source import FrameSource
from .options import SessionOptions
from .runtime import Runtime


def track_features(
    model: Network,
    tracks: Sequence[Track],
    options: SessionOptions,
    runtime: Runtime,
    say: Callable[[str], None],
) -> tuple[list[Track], Tensor]:
    """Features of tracks, each from its evenly spaced frames, as an evaluation makes them.

    Args:
        model: on the device of ``runtime``.
        tracks: at least one.
        options: size and number of frames, flip, batches, readers.
        runtime: where is computed.
        say: tells the person at the keyboard.

    Returns:
        The tracks that could be read, all of them unless ``options.skip_corrupt``; and their
        features, [N, D] float32, unit rows, on the host.

    Raises:
        DatasetError: a frame cannot be read.
    """
    kept = list(tracks)
    source = FrameSource(options, options.skip_corrupt, say, pin=runtime.device.type == "cuda")
    extraction = Extraction(
        source, runtime, options, FeatureRoom(runtime.device, say), lambda: None
    )
    try:
        if options.skip_corrupt:
            kept = [kept[place] for place in source.readable("test", kept)]
        features = extraction.features(model, "test", kept, renormalise=True)
    finally:
        source.close()
    return kept, features.cpu()


def half_tracks(tracks: Sequence[Track]) -> tuple[list[Track], list[Track]]:
    """First and second half of the frames of each track.

    Args:
        tracks: shorter ones than two frames are left out of both.
    """
    whole = [track for track in tracks if len(track.frames) > 1]
    return [part_of(track, 2, 0) for track in whole], [part_of(track, 2, 1) for track in whole]


def part_of(track: Track, parts: int, part: int) -> Track:
    """A part of a track that is cut into parts of as many frames, about.

    At least one frame: a track of fewer frames than parts shows some of them twice.

    Args:
        track: what is cut.
        parts: how many there are.
        part: which, from 0; the key counts from 1.
    """
    start, end = (len(track.frames) * edge // parts for edge in (part, part + 1))
    chosen = slice(start, max(end, start + 1))
    frames, times = track.frames[chosen], track.times[chosen]
    return replace(track, frames=frames, times=times, key=f"{track.key}#{part + 1}")
