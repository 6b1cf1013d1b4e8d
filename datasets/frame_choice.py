"""Which frames of a track make a clip.

A track is padded with its last frame to a multiple of the clip length T and cut into T equal
segments (M3-ReID, `evenly` modes). All functions return positions inside the track.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


def segment_length(length: int, num_frames: int) -> int:
    """Frames in each of the T = `num_frames` segments of a padded track: ceil(length / T).

    Raises:
        ValueError: if one of the two is below 1.
    """
    if length < 1 or num_frames < 1:
        raise ValueError(
            "a track and a clip have at least one frame; "
            f"got a track of {length} and a clip of {num_frames}"
        )
    return -(-length // num_frames)


def evenly_spaced_frames(length: int, num_frames: int) -> Positions:
    """The first frame of each segment: the one clip that stands for a track at test time.

    Returns:
        Positions, [T], int64; the last frame repeats where the track is too short.
    """
    step = segment_length(length, num_frames)
    return np.minimum(np.arange(num_frames, dtype=np.int64) * step, length - 1)


def random_frames(
    lengths: Sequence[int] | Positions, num_frames: int, generator: np.random.Generator
) -> Positions:
    """One random frame of each segment, for a batch of tracks.

    The random numbers are taken row by row, so row i is the same however many rows follow it.

    Args:
        lengths: frames of each track, [B].
        num_frames: frames T of a clip.
        generator: source of the draws.

    Returns:
        Positions, [B, T], int64, ascending in each row.
    """
    frames = np.asarray(lengths, dtype=np.int64)
    if frames.size and frames.min() < 1:
        segment_length(int(frames.min()), num_frames)
    steps = -(-frames // num_frames)[:, None]
    inside = (generator.random((len(frames), num_frames)) * steps).astype(np.int64)
    inside = np.minimum(inside, steps - 1)  # a product may round up to the full step
    return np.minimum(np.arange(num_frames) * steps + inside, frames[:, None] - 1)
