"""Frame choice against the published rule and a plain version of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.datasets.frame_choice import evenly_spaced_frames, random_frames

VECTORS = json.loads(
    (Path(__file__).parents[1] / "conformance" / "frame_sampling.json").read_text()
)["seq_6"]
LENGTHS = [int(n) for n in VECTORS["test_evenly"]]


def padded(length, num_frames):
    """The track's positions, padded with the last one to a multiple of the clip length."""
    positions = list(range(length))
    while len(positions) % num_frames:
        positions.append(length - 1)
    return positions


@pytest.mark.parametrize("length", LENGTHS)
def test_published_positions(length):
    assert evenly_spaced_frames(length, 6).tolist() == VECTORS["test_evenly"][str(length)]


def test_random_frames_fill_exactly_the_published_ranges():
    rng = np.random.default_rng(0)
    draws = random_frames(np.repeat(LENGTHS, 300), 6, rng).reshape(len(LENGTHS), 300, 6)
    for length, drawn in zip(LENGTHS, draws):
        ranges = VECTORS["train_evenly_ranges"][str(length)]
        assert np.stack([drawn.min(0), drawn.max(0)], 1).tolist() == ranges


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 9), st.integers(0, 1000))
def test_plain_version(length, num_frames, seed):
    positions = padded(length, num_frames)
    step = len(positions) // num_frames
    segments = [positions[i * step : (i + 1) * step] for i in range(num_frames)]
    assert evenly_spaced_frames(length, num_frames).tolist() == [s[0] for s in segments]
    drawn = random_frames([length], num_frames, np.random.default_rng(seed))[0]
    assert all(frame in segment for frame, segment in zip(drawn, segments))


def test_rows_do_not_depend_on_later_rows():
    lengths = [7, 30, 1, 12, 19]
    whole = random_frames(lengths, 6, np.random.default_rng(3))
    part = random_frames(lengths[:2], 6, np.random.default_rng(3))
    assert (whole[:2] == part).all()


@pytest.mark.parametrize("length, num_frames", [(0, 6), (5, 0), (-1, 3)])
def test_empty_tracks_and_clips_are_refused(length, num_frames):
    with pytest.raises(ValueError, match="at least one frame"):
        evenly_spaced_frames(length, num_frames)


def test_an_empty_track_in_a_batch_is_refused():
    with pytest.raises(ValueError, match="track of 0"):
        random_frames([3, 0], 6, np.random.default_rng(0))
