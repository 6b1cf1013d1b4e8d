"""The cache of resized frames on disk: the same pixels, whatever happened to it."""

import multiprocessing
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from vireid.datasets import ClipLoader, ClipReader, ClipWorkers, frame_cache, frame_shard
from vireid.datasets.errors import CorruptFrames, DatasetError
from vireid.datasets.frame_cache import FrameCache, default_cache_dir
from vireid.datasets.track import Modality, Track

HEIGHT, WIDTH = 12, 7
LENGTHS = (4, 1, 6)


def picture(path, seed, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, quality=90)


@pytest.fixture
def tracks(tmp_path):
    found = []
    for number, length in enumerate(LENGTHS):
        paths = [tmp_path / f"Spur ü {number}-{frame}.jpg" for frame in range(length)]
        for frame, path in enumerate(paths):
            picture(path, 10 * number + frame)
        found.append(Track(tuple(paths), Modality(number % 2), 1, number, f"t{number}"))
    return found


@pytest.fixture
def old_clock(monkeypatch):
    """Files count as old at once, so that their times are trusted."""
    monkeypatch.setattr(frame_cache, "SETTLED_NS", -(10**18))


@pytest.fixture
def decoded(monkeypatch):
    """Counts the frames that are decoded in this process."""
    calls = []

    def decode(data, height, width, resize):
        calls.append(len(data))
        return original(data, height, width, resize)

    original = frame_cache.decode_bytes
    monkeypatch.setattr(frame_cache, "decode_bytes", decode)
    return calls


def reader(tracks, folder, cache="disk", **options):
    options = {"height": HEIGHT, "width": WIDTH, "num_frames": 3, "workers": 2, **options}
    return ClipReader(tracks, cache=cache, cache_dir=folder, **options)


def everything(source):
    """Every frame of every track; a track's last one repeats."""
    return source.test_clips(range(len(source)), max(LENGTHS))


def shards(folder):
    return sorted(folder.rglob("*.frames"))


def agree(tracks, folder, **options):
    """A reader with the cache gives what one without gives."""
    source = reader(tracks, folder, **options)
    plain = reader(tracks, folder, cache="none", **options)
    assert torch.equal(everything(source), everything(plain))
    return source


def test_pixels_are_those_of_the_files(tracks, tmp_path, old_clock, decoded):
    folder = tmp_path / "cache"
    first = agree(tracks, folder)
    assert (first.disk.built, first.disk.reused, len(decoded)) == (3, 0, 11)
    assert first.disk.size == 11 * HEIGHT * WIDTH * 3
    second = agree(tracks[::-1], folder)
    assert (second.disk.built, second.disk.reused, len(decoded)) == (0, 3, 11)
    clips = [r.train_clips([2, 2, 0], (5,)) for r in (first, reader(tracks, folder, "memory"))]
    assert torch.equal(*clips)
    assert first.test_clips([]).shape == (0, 3, 3, HEIGHT, WIDTH)


def test_progress_counts_every_frame(tracks, tmp_path, old_clock):
    for _ in range(2):
        steps = []
        reader(tracks, tmp_path / "cache", progress=steps.append)
        assert sum(steps) == 11


def test_an_interrupted_build_goes_on(tracks, tmp_path, old_clock, decoded, monkeypatch):
    folder = tmp_path / "cache"

    def interrupt(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    write = frame_cache.write_shard
    monkeypatch.setattr(frame_cache, "write_shard", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reader(tracks, folder, workers=1)
    done = len(shards(folder))
    assert done >= 1
    monkeypatch.setattr(frame_cache, "write_shard", write)
    assert agree(tracks, folder).disk.reused == done


def test_what_a_killed_write_left_is_not_used_and_goes(tracks, tmp_path, old_clock):
    folder = tmp_path / "cache"
    reader(tracks, folder)
    shard = shards(folder)[0]
    part = shard.with_name("killed.part")
    part.write_bytes(shard.read_bytes()[:100])
    os.utime(part, (0, 0))
    shard.unlink()
    assert agree(tracks, folder).disk.built == 1
    assert not part.exists()


@pytest.mark.parametrize("keep_times", [False, True])
def test_a_changed_file_never_gives_old_pixels(tracks, tmp_path, old_clock, decoded, keep_times):
    """With its size and modification time restored, too."""
    folder = tmp_path / "cache"
    for path in tracks[2].frames:  # lossless without compression: one size for all
        Image.open(path).save(path.with_suffix(".bmp"))
    frames = tuple(path.with_suffix(".bmp") for path in tracks[2].frames)
    track = Track(frames, Modality.VISIBLE, 1, 1, "bmp")
    agree([track], folder)
    before, count = frames[3].stat(), len(decoded)
    picture(frames[3], 99)
    if keep_times:
        os.utime(frames[3], ns=(before.st_atime_ns, before.st_mtime_ns))
        assert frames[3].stat().st_size == before.st_size
    assert agree([track], folder).disk.built == 1
    assert len(decoded) == count + 1  # the other frames are kept by their digests


def test_a_file_that_is_new_is_looked_at_again(tracks, tmp_path, decoded):
    """Its times may not tell a change that followed at once; its bytes do."""
    folder = tmp_path / "cache"
    agree(tracks, folder)
    assert agree(tracks, folder).disk.built == 3
    assert len(decoded) == 11


def test_another_size_or_decoder_has_its_own_pixels(tracks, tmp_path, old_clock, monkeypatch):
    folder = tmp_path / "cache"
    agree(tracks, folder)
    assert agree(tracks, folder, height=20).disk.built == 3
    assert agree(tracks, folder).disk.built == 0
    monkeypatch.setattr(frame_cache, "decoder_version", lambda resize: "another")
    assert agree(tracks, folder).disk.built == 3


@pytest.mark.parametrize("one, other", [("bilinear", "lanczos"), ("lanczos", "bicubic")])
def test_another_filter_has_its_own_pixels(tracks, tmp_path, old_clock, one, other):
    folder = tmp_path / "cache"
    first = agree(tracks, folder, resize=one)
    second = agree(tracks, folder, resize=other)
    assert second.disk.built == len(tracks)
    assert not torch.equal(everything(first), everything(second))
    assert agree(tracks, folder, resize=one).disk.built == 0
    # Not even when its files are put in the place of another filter's.
    for source in first.tracks:
        shutil.copy(first.disk._path(source.frames), second.disk._path(source.frames))
    assert agree(tracks, folder, resize=other).disk.built == len(tracks)


def cut(data):
    return data[: len(data) // 2]


def wipe(data):
    return data[:8] + bytes(64) + data[72:]


def no_json(data):
    return data[:-40] + b"}" * 20 + data[-20:]


@pytest.mark.parametrize("damage", [cut, wipe, no_json, lambda data: b""])
@pytest.mark.parametrize("running", [False, True])
def test_a_damaged_shard_is_built_again(tracks, tmp_path, old_clock, damage, running):
    folder = tmp_path / "cache"
    source = reader(tracks, folder)
    expected = everything(reader(tracks, folder, "none"))
    for shard in shards(folder):
        data = damage(shard.read_bytes())
        shard.unlink()
        shard.write_bytes(data)
    if not running:
        source = reader(tracks, folder)
    assert torch.equal(everything(source), expected)
    assert torch.equal(everything(reader(tracks, folder)), expected)


def test_a_cache_that_vanishes_while_it_is_used(tracks, tmp_path):
    source = reader(tracks, tmp_path / "cache")
    expected = everything(source)
    source.disk._open.clear()
    shutil.rmtree(tmp_path / "cache")
    assert torch.equal(everything(source), expected)
    source.disk._open.clear()
    shutil.rmtree(tmp_path / "cache")
    tracks[1].frames[0].unlink()
    with pytest.raises(CorruptFrames, match="does not exist"):
        source.test_clips([1])


def test_unreadable_frames_are_named_or_left_out(tracks, tmp_path):
    folder = tmp_path / "cache"
    gap = tracks[2].frames[1]
    gap.write_bytes(gap.read_bytes()[:-30])
    tracks[1].frames[0].unlink()
    with pytest.raises(CorruptFrames, match="2 frames cannot be read"):
        reader(tracks, folder)
    source = reader(tracks, folder, skip_corrupt=True)
    other = reader(tracks, folder, "memory", skip_corrupt=True)
    assert (source.corrupt, source.lost) == (other.corrupt, other.lost)
    assert source.lost == (1,)
    assert source.leave_out_lost() == other.leave_out_lost() == [1]
    assert torch.equal(everything(source), everything(other))
    picture(gap, 5)
    picture(tracks[1].frames[0], 6)
    agree(tracks, folder, skip_corrupt=True)


def test_a_full_disk_is_refused_before_and_while_writing(tracks, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    cache = FrameCache(folder, HEIGHT, WIDTH, reserve=1 << 60)
    with pytest.raises(DatasetError, match=r"11 frames of 12x7 need .*--cache-dir"):
        cache.prepare([track.frames for track in tracks])
    assert not shards(folder)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(frame_cache, "write_shard", full)
    with pytest.raises(DatasetError, match="its disk or quota is full"):
        reader(tracks, folder)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    pixels = np.zeros((1, 2, 2, 3), np.uint8)

    def fail(*arguments):
        raise OSError(5, "broken")

    monkeypatch.setattr(frame_shard.Path, "replace", fail)
    with pytest.raises(OSError, match=r"a\.frames"):
        frame_shard.write_shard(tmp_path / "a.frames", pixels, "d", [None], ["x"])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file(tracks, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        reader(tracks, tmp_path / "file")


def build(tracks, folder, answers):
    answers.put(everything(reader(tracks, folder)).numpy())


def test_two_processes_at_once(tracks, tmp_path, threads):
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    arguments = (tracks, tmp_path / "cache", answers)
    threads(1)
    processes = [context.Process(target=build, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    expected = everything(reader(tracks, tmp_path, "none")).numpy()
    assert all(np.array_equal(clips, expected) for clips in found)
    assert len(shards(tmp_path / "cache")) == 3
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_worker_processes_read_it(tracks, tmp_path):
    source = reader(tracks, tmp_path / "cache")
    source.test_clips([0])  # maps a shard, which must not travel
    batches = [[0, 2], [1, 1]]
    workers = ClipWorkers([source], 1, start_method="spawn")
    helped = ClipLoader(source, batches, seed=3, workers=workers)
    alone = ClipLoader(reader(tracks, tmp_path, "none"), batches, seed=3)
    for (clips, _), (expected, _) in zip(helped, alone, strict=True):
        assert torch.equal(clips, expected)


def test_checksums_see_a_changed_byte():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    whole = frame_shard.checksum(pixels)
    for place in range(pixels.size):
        other = pixels.copy()
        other.flat[place] ^= 4
        assert frame_shard.checksum(other) != whole


def test_the_default_folder_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "vireid" / "frames"
