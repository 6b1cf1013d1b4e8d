"""Clips from image files: decoding, cache, damage."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from vireid.datasets import ClipLoader, ClipReader
from vireid.datasets.errors import CorruptFrames, DatasetError
from vireid.datasets.frame_choice import evenly_spaced_frames
from vireid.datasets.track import Modality, Track

LENGTHS = (5, 1, 8, 3)
HEIGHT, WIDTH = 8, 4


@pytest.fixture
def tracks(tmp_path):
    """Tracks whose frames are lossless pictures of one brightness: 20 * track + frame."""
    found = []
    for number, length in enumerate(LENGTHS):
        frames = []
        for frame in range(length):
            path = tmp_path / f"Spur ü {number}" / f"{frame}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT), (20 * number + frame,) * 3).save(path)
            frames.append(path)
        found.append(Track(tuple(frames), Modality(number % 2), 1, number, f"t{number}"))
    return found


def reader(tracks, **options):
    options = {"height": HEIGHT, "width": WIDTH, "num_frames": 3, "workers": 2, **options}
    return ClipReader(tracks, **options)


def brightness(clips):
    """The value of each frame, [B, T], after checking that the frame is uniform."""
    flat = clips.flatten(2)
    assert (flat == flat[..., :1]).all()
    return flat[..., 0].tolist()


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_clips_hold_the_chosen_frames(tracks, cache):
    source = reader(tracks, cache=cache)
    clips = source.test_clips([2, 0, 1])
    assert clips.shape == (3, 3, 3, HEIGHT, WIDTH)
    assert clips.dtype == torch.uint8
    expected = [20 * n + evenly_spaced_frames(LENGTHS[n], 3) for n in (2, 0, 1)]
    assert brightness(clips) == [row.tolist() for row in expected]
    assert brightness(source.test_clips([2], 8)) == [list(range(40, 48))]


def test_memory_is_channels_last(tracks):
    clips = reader(tracks).test_clips([0, 2])
    assert clips.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


def test_cache_and_files_give_the_same(tracks):
    cached, direct = reader(tracks), reader(tracks, cache="none", workers=1)
    for seed in range(5):
        indices = [2, 2, 0, 3, 1]
        assert torch.equal(
            cached.train_clips(indices, (4, seed)), direct.train_clips(indices, (4, seed))
        )


def test_a_draw_depends_on_seed_and_place_only(tracks):
    source = reader(tracks)
    whole = source.train_clips([2, 0, 2, 2], (1, 9))
    assert torch.equal(source.train_clips([2, 0], (1, 9)), whole[:2])
    drawn = {str(brightness(source.train_clips([2], (1, i)))) for i in range(20)}
    assert len(drawn) > 3


def test_no_indices_give_no_clips(tracks):
    assert reader(tracks).test_clips([]).shape == (0, 3, 3, HEIGHT, WIDTH)
    assert reader(tracks).train_clips([], (0,)).shape == (0, 3, 3, HEIGHT, WIDTH)


def test_frames_are_resized_as_pillow_does(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 22, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    track = Track((tmp_path / "a.png",), Modality.VISIBLE, 1, None, "a")
    clip = ClipReader([track], height=16, width=8, num_frames=1).test_clips([0])
    expected = Image.fromarray(pixels).resize((8, 16), Image.Resampling.BILINEAR)
    assert np.array_equal(clip[0, 0].permute(1, 2, 0).numpy(), np.asarray(expected))


def test_a_grey_picture_becomes_three_channels(tmp_path):
    Image.new("L", (4, 8), 77).save(tmp_path / "a.png")
    track = Track((tmp_path / "a.png",), Modality.INFRARED, 1, None, "a")
    assert (reader([track]).test_clips([0]) == 77).all()


def damage(tracks):
    """Cuts off one frame, replaces one by text, deletes one."""
    first, second, third = tracks[2].frames[1], tracks[2].frames[2], tracks[0].frames[4]
    first.write_bytes(first.read_bytes()[:40])
    second.write_text("no picture")
    third.unlink()
    return third, first, second


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_damage_is_named_and_counted(tracks, cache):
    damaged = damage(tracks)
    with pytest.raises(CorruptFrames) as caught:
        reader(tracks, cache=cache).test_clips([2], 8)
    assert str(caught.value.frames[0]) in str(caught.value)
    assert "skip-corrupt" in str(caught.value)
    if cache == "memory":
        assert caught.value.frames == damaged
        assert str(caught.value).startswith("3 frames cannot be read")
        assert "does not exist" in str(caught.value)


def test_only_the_first_files_are_listed(tracks):
    for path in tracks[2].frames:
        path.write_text("no picture")
    with pytest.raises(CorruptFrames, match="and 3 more") as caught:
        reader(tracks)
    assert str(tracks[2].frames[4]) in str(caught.value)
    assert str(tracks[2].frames[5]) not in str(caught.value)


def test_the_error_survives_a_process_boundary(tracks):
    damage(tracks)
    with pytest.raises(CorruptFrames) as caught:
        reader(tracks)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.frames) == (str(caught.value), caught.value.frames)


def test_skipped_frames_leave_their_track(tracks):
    damaged = damage(tracks)
    source = reader(tracks, skip_corrupt=True)
    assert source.corrupt == list(damaged)
    assert source.lost == ()
    assert brightness(source.test_clips([2], 6)) == [[40, 43, 44, 45, 46, 47]]
    assert brightness(source.test_clips([3])) == [[60, 61, 62]]


def test_without_a_cache_the_nearest_frame_steps_in(tracks):
    damaged = damage(tracks)
    source = reader(tracks, cache="none", skip_corrupt=True)
    assert brightness(source.test_clips([2], 8)) == [[40, 40, 43, 43, 44, 45, 46, 47]]
    assert set(source.corrupt) == set(damaged[1:])


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_a_track_without_readable_frames_is_lost(tracks, cache):
    for path in tracks[3].frames:
        path.write_text("no picture")
    source = reader(tracks, cache=cache, skip_corrupt=True)
    assert source.lost == ((3,) if cache == "memory" else ())
    assert source.test_clips([0, 1, 2]).shape[0] == 3
    with pytest.raises(CorruptFrames, match="t3 has no readable frame"):
        source.test_clips([0, 3])


def test_the_cache_limit_is_checked_before_decoding(tracks):
    tracks[0].frames[0].unlink()
    needed = sum(LENGTHS) * HEIGHT * WIDTH * 3
    with pytest.raises(DatasetError, match="17 frames of 8x4 need a cache"):
        reader(tracks, cache_limit=needed - 1)
    assert reader(tracks[1:], cache_limit=needed).test_clips([0]).shape[0] == 1


def test_progress_counts_every_frame(tracks):
    steps = []
    reader(tracks, progress=steps.append)
    assert sum(steps) == sum(LENGTHS)


@pytest.mark.parametrize(
    "options, message",
    [({"height": 0}, "at least 1"), ({"num_frames": 0}, "at least 1"), ({"cache": "ram"}, "ram")],
)
def test_bad_settings_are_refused(tracks, options, message):
    with pytest.raises(ValueError, match=message):
        reader(tracks, **options)


def test_bad_indices_and_empty_tracks_are_refused(tracks):
    with pytest.raises(IndexError, match=r"0…3"):
        reader(tracks).test_clips([0, 4])
    with pytest.raises(IndexError):
        reader(tracks).test_clips([-1])
    with pytest.raises(ValueError, match="hollow"):
        reader([*tracks, Track((), Modality.VISIBLE, 1, 1, "hollow")])


def collect(loader):
    return [(clips.clone(), indices.clone()) for clips, indices in loader]


BATCHES = [[0, 2], [2, 2], [1, 3], [3, 0]]


@pytest.mark.parametrize("mode", ["train", "test"])
def test_loader_yields_the_batches(tracks, mode):
    source = reader(tracks)
    loader = ClipLoader(source, BATCHES, seed=5, mode=mode)
    assert len(loader) == 4
    for number, (clips, indices) in enumerate(loader):
        assert indices.tolist() == BATCHES[number]
        assert indices.dtype == torch.int64
        direct = (
            source.train_clips(BATCHES[number], (5, 0, number))
            if mode == "train"
            else source.test_clips(BATCHES[number])
        )
        assert torch.equal(clips, direct)


def test_epochs_differ_and_repeat(tracks):
    loader = ClipLoader(reader(tracks), [[2] * 8], seed=(5, 1))
    first = collect(loader)
    loader.set_epoch(1)
    second = collect(loader)
    loader.set_epoch(0)
    again = collect(loader)
    assert torch.equal(first[0][0], again[0][0])
    assert not torch.equal(first[0][0], second[0][0])


def test_bad_loader_settings_are_refused(tracks):
    with pytest.raises(ValueError, match="mode"):
        ClipLoader(reader(tracks), BATCHES, mode="valid")
    with pytest.raises(ValueError, match="workers"):
        ClipLoader(reader(tracks), BATCHES, workers=-1)
