"""Tracks cut into parts."""

from pathlib import Path

import pytest
from vireid.datasets.track import Modality, Track
from vireid.engine.track_features import part_of


@pytest.mark.parametrize(("length", "parts"), [(12, 3), (13, 4), (7, 7)])
def test_parts_of_a_track_are_its_frames_in_order(length, parts):
    track = Track(
        key="a",
        frames=tuple(Path(f"{n}.jpg") for n in range(length)),
        modality=Modality.VISIBLE,
        camera=0,
        identity=0,
        times=tuple(range(length)),
    )
    found = [part_of(track, parts, part) for part in range(parts)]
    assert [frame for each in found for frame in each.frames] == list(track.frames)
    assert [time for each in found for time in each.times] == list(range(length))
    assert len({each.key for each in found}) == parts
    short = [part_of(found[0], 100, part) for part in (0, 50, 99)]
    assert all(len(each.frames) == 1 for each in short)
