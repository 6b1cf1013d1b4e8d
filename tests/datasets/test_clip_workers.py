"""Workers that outlive an epoch: the same clips, the same processes, none left behind."""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from vireid.datasets import ClipLoader, ClipReader, ClipWorkers, clip_reader
from vireid.datasets.clip_workers import decoding_threads, lost_worker
from vireid.datasets.errors import CorruptFrames, LostWorker
from vireid.datasets.track import Modality, Track
from vireid.evaluation import extract_features, features

HEIGHT, WIDTH = 8, 4
BATCHES = [[0, 2], [2, 2], [1, 3], [3, 0]]
LEFT_OPEN = """
import sys
from pathlib import Path
from vireid.datasets import ClipLoader, ClipReader, Modality, Track

if __name__ == "__main__":
    track = Track((Path(sys.argv[1]),), Modality.VISIBLE, 1, None, "a")
    reader = ClipReader([track], height=8, width=4, num_frames=1, cache="none")
    loader = ClipLoader(reader, [[0], [0]], workers=1)
    print(sum(len(clips) for clips, _ in loader), flush=True)
"""


def tracks_of(folder, lengths):
    """Tracks whose frames are pictures of noise."""
    draw = np.random.default_rng(0)
    found = []
    for number, length in enumerate(lengths):
        paths = [folder / f"Spur ü {number}-{frame}.png" for frame in range(length)]
        for path in paths:
            Image.fromarray(draw.integers(0, 256, (9, 5, 3), dtype=np.uint8)).save(path)
        found.append(Track(tuple(paths), Modality(number % 2), 1, number, f"t{number}"))
    return found


def reader(tracks, **options):
    options = {"height": HEIGHT, "width": WIDTH, "num_frames": 3, "workers": 2, **options}
    return ClipReader(tracks, cache="none", **options)


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """Of training tracks and of test tracks."""
    folder = tmp_path_factory.mktemp("tracks")
    (folder / "test").mkdir()
    return [reader(tracks_of(folder, (5, 1, 8, 3))), reader(tracks_of(folder / "test", (4, 6)))]


@pytest.fixture
def no_gpu_but_one_in_name(monkeypatch):
    """A loader that is asked to pin believes that it can; what it pins is counted."""
    pinned = []
    stand_in = {
        "is_available": lambda: True,
        "current_accelerator": lambda: torch.device("cuda"),
        "current_device_index": lambda: 0,
        "set_device_index": lambda index: None,
    }
    for name, value in stand_in.items():
        monkeypatch.setattr(torch.accelerator, name, value)

    def pin_memory(tensor, *_):
        copied = tensor.clone()
        pinned.append(copied)
        return copied

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin_memory)
    return pinned


def a_run(readers, workers):
    """Two epochs, another stage from its second batch on, an extraction, and an epoch again."""
    train, test = readers
    first = ClipLoader(train, BATCHES, seed=(7, 1), workers=workers)
    seen = []
    for epoch in (0, 1):
        first.set_epoch(epoch)
        seen += list(first)
    seen += list(ClipLoader(train, BATCHES, seed=8, workers=workers, num_frames=2, first=1))
    seen += list(ClipLoader(test, [[0], [1]], mode="test", workers=workers, num_frames=5))
    seen += list(ClipLoader(train, BATCHES, seed=(7, 1), workers=workers, share=(1, 2)))
    return seen


def same(left, right):
    return len(left) == len(right) and all(
        torch.equal(a, b) for one, other in zip(left, right) for a, b in zip(one, other)
    )


def lost_in(error):
    """What an error tells of a lost worker, whether the reading was told or the code around it."""
    return error if isinstance(error, LostWorker) else lost_worker(error)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("count", "start"), [(1, "spawn"), (2, None)])
def test_every_use_gets_the_clips_that_it_gets_without_workers(readers, count, start):
    expected = a_run(readers, ClipWorkers(readers))
    direct = readers[0].train_clips(BATCHES[1], (7, 1, 1, 1))
    assert torch.equal(expected[len(BATCHES) + 1][0], direct)
    assert same(expected[8:11], list(ClipLoader(readers[0], BATCHES, 8, num_frames=2))[1:])
    state = torch.get_rng_state()
    with ClipWorkers(readers, count, start_method=start) as workers:
        assert workers.processes == ()  # nobody has asked
        found = a_run(readers, workers)
        processes = workers.processes
        assert len(processes) == count
        again = a_run(readers, workers)
        assert workers.processes == processes
        assert all(process.is_alive() for process in processes)
    assert same(found, expected)
    assert same(again, expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(alive(process.pid) for process in processes)
    assert multiprocessing.active_children() == []


def test_an_epoch_that_is_left_disturbs_no_later_one(readers):
    with ClipWorkers(readers, 2) as workers:
        loader = ClipLoader(readers[0], BATCHES * 5, seed=3, workers=workers)
        left = next(iter(loader))
        whole = list(loader)
        assert same(whole, list(ClipLoader(readers[0], BATCHES * 5, seed=3)))
        assert same([left], whole[:1])
        # Two at a time would take each other's clips.
        one, other = iter(loader), iter(loader)
        next(one), next(other)
        with pytest.raises(RuntimeError, match="before these were through"):
            next(one)
        assert same([next(other)], whole[1:2])


def test_in_this_process_two_may_read_at_a_time(readers):
    workers = ClipWorkers(readers)
    loader = ClipLoader(readers[0], BATCHES, seed=3, workers=workers)
    both = list(zip(loader, loader))
    assert len(both) == len(BATCHES)
    assert all(same([one], [other]) for one, other in both)
    assert workers.processes == ()


def test_unreadable_frames_come_back_from_every_worker(tmp_path):
    tracks = tracks_of(tmp_path, (3, 3))
    broken = [tracks[0].frames[0], tracks[1].frames[2]]
    for path in broken:
        path.write_text("no picture")
    skipping = reader(tracks, skip_corrupt=True)
    with ClipWorkers([skipping, reader(tracks)], 2) as workers:
        for _ in range(2):
            list(ClipLoader(skipping, [[0], [1]], mode="test", workers=workers))
        assert sorted(skipping.corrupt) == broken
        strict = ClipLoader(workers.readers[1], [[0], [1]], mode="test", workers=workers)
        with pytest.raises(CorruptFrames, match="cannot be read") as caught:
            list(strict)
        assert caught.value.frames == (broken[0],)
        # The error is of the frame: the workers go on.
        assert len(list(ClipLoader(skipping, [[0]], mode="test", workers=workers))) == 1
        processes = workers.processes
    assert not any(alive(process.pid) for process in processes)


def test_after_an_error_in_a_block_no_process_is_left(readers):
    with pytest.raises(ZeroDivisionError), ClipWorkers(readers, 2) as workers:
        for _ in ClipLoader(readers[0], BATCHES, workers=workers):
            processes = workers.processes
            1 / 0  # noqa: B018
    assert len(processes) == 2
    assert not any(alive(process.pid) for process in processes)


@pytest.mark.usefixtures("killed_workers")
def test_a_killed_worker_ends_the_reading_and_a_new_reading_starts_others(readers):
    workers = ClipWorkers(readers, 2)
    endless = (batch for batch in itertools.cycle(BATCHES))
    with pytest.raises((LostWorker, RuntimeError)) as caught:
        for number, _ in enumerate(ClipLoader(readers[0], endless, workers=workers)):
            if number == 3:
                first = workers.processes
                os.kill(first[0].pid, signal.SIGKILL)
    assert "was killed from outside, for want" in str(lost_in(caught.value))
    if not isinstance(caught.value, LostWorker):  # torch told of it in this very function
        workers.close()
    assert not any(alive(process.pid) for process in first)
    assert multiprocessing.active_children() == []
    loader = ClipLoader(readers[0], BATCHES, seed=2, workers=workers)
    assert same(list(loader), list(ClipLoader(readers[0], BATCHES, seed=2)))
    assert not {p.pid for p in first} & {p.pid for p in workers.processes}
    workers.close()
    workers.close()


@pytest.mark.usefixtures("killed_workers")
def test_one_killed_while_nobody_reads_is_told_of_too(readers, monkeypatch):
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.2)
    workers = ClipWorkers(readers, 1)
    loader = ClipLoader(readers[0], BATCHES, workers=workers)
    list(loader)
    (process,) = workers.processes
    with pytest.raises((LostWorker, RuntimeError)) as caught:
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        list(loader)
    assert lost_in(caught.value)
    workers.close()
    assert multiprocessing.active_children() == []


def test_workers_live_through_a_schedulers_signal_and_close_ends_one_that_is_stuck(
    readers, monkeypatch
):
    monkeypatch.setattr(torch.utils.data._utils, "MP_STATUS_CHECK_INTERVAL", 0.2)
    workers = ClipWorkers(readers, 2)
    loader = ClipLoader(readers[0], BATCHES, workers=workers)
    list(loader)
    processes = workers.processes
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)
    list(loader)
    assert workers.processes == processes
    os.kill(processes[0].pid, signal.SIGSTOP)  # as one that waits for a disk
    workers.close()
    assert not any(alive(process.pid) for process in processes)


def test_workers_that_nobody_closed_do_not_keep_python_from_ending(tmp_path):
    (track,) = tracks_of(tmp_path, (1,))
    script = tmp_path / "left_open.py"
    script.write_text(LEFT_OPEN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(track.frames[0])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


FORKS = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the decoder is replaced here"
)


@FORKS
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_worker_decodes_with_its_share_of_the_cores(tmp_path, monkeypatch, threads):
    together = threading.Barrier(3)
    source = reader(tracks_of(tmp_path, (1, 1, 1)), num_frames=1, workers=2)

    def decode(path, height, width, resize):
        """A frame of the number of the thread; 200 for the worker's main one."""
        thread = threading.current_thread()
        if thread is threading.main_thread():
            number = 200
        else:
            together.wait(60)
            number = int(thread.name.rpartition("_")[2])
        return np.full((height, width, 3), number, np.uint8)

    monkeypatch.setattr(clip_reader, "decode_frame", decode)
    with ClipWorkers([source], 1, threads=threads, start_method="fork") as workers:
        ((clips, _),) = ClipLoader(source, [[0, 1, 2]], mode="test", workers=workers)
    expected = [200, 200, 200] if threads == 1 else [0, 1, 2]
    assert sorted(clips[:, 0, 0, 0, 0].tolist()) == expected
    assert source.workers == 2  # in this process


def test_the_cores_are_shared(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(16), raising=False)
    found = [decoding_threads(processes) for processes in (0, 1, 2, 4, 5, 16, 40)]
    assert found == [8, 8, 8, 4, 3, 1, 1]
    assert ClipWorkers([], 4).threads == 4


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("pin", [False, True])
def test_clips_are_pinned_where_they_shall_be(readers, count, pin, no_gpu_but_one_in_name):
    pinned = no_gpu_but_one_in_name
    with ClipWorkers(readers, count, pin=pin) as workers:
        for _ in range(2):
            found = list(ClipLoader(readers[0], BATCHES, seed=1, workers=workers))
    assert len(pinned) == (2 * 2 * len(BATCHES) if pin else 0)
    assert all(any(clips is one for one in pinned) == pin for clips, _ in found)
    assert same(found, list(ClipLoader(readers[0], BATCHES, seed=1)))


def test_without_a_cuda_device_nobody_is_asked_to_pin(readers, monkeypatch):
    asked = []

    class Recorded(ClipWorkers):
        def __init__(self, *arguments, pin, **named):
            asked.append(pin)
            super().__init__(*arguments, **named)

    monkeypatch.setattr(features, "ClipWorkers", Recorded)
    extract_features(lambda clips, modalities: clips.flatten(1).mean(1, keepdim=True), readers[0])
    with pytest.raises((AssertionError, RuntimeError)):  # there is none
        extract_features(lambda clips, modalities: clips, readers[0], device="cuda")
    assert asked == [False, True]


def test_other_errors_are_not_taken_for_a_lost_worker():
    assert lost_worker(RuntimeError("out of memory")) is None
    assert lost_worker(ValueError("DataLoader worker")) is None
    told = lost_worker(RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error."))
    assert "/dev/shm, is full" in str(told)


def test_an_error_of_closing_is_kept_unless_it_tells_of_a_lost_worker():
    def shut_down(text):
        def fail():
            raise RuntimeError(text)

        workers = ClipWorkers([])
        workers._loader = SimpleNamespace(_iterator=SimpleNamespace(_shutdown_workers=fail))
        return workers

    shut_down("DataLoader worker (pid 7) is killed by signal: Killed.").close()
    with pytest.raises(RuntimeError, match="something else"):
        shut_down("something else").close()


def test_torchs_word_of_a_lost_worker_may_come_late(monkeypatch):
    def broken():
        raise ConnectionResetError("by the worker that is gone")

    def told(text):
        def fail():
            raise RuntimeError(text)

        return fail

    workers = ClipWorkers([])
    monkeypatch.setattr(workers, "_lost", told("DataLoader worker (pid 7) is killed by signal."))
    with pytest.raises(LostWorker) as caught:
        workers._watched(broken)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    monkeypatch.setattr(workers, "_lost", told("something else"))
    with pytest.raises(RuntimeError, match="something else"):
        workers._watched(broken)


def test_settings_that_cannot_be_are_refused(readers):
    with pytest.raises(ValueError, match="workers is at least 0; got -1"):
        ClipWorkers(readers, -1)
    with pytest.raises(ValueError, match="threads is at least 1; got 0"):
        ClipWorkers(readers, threads=0)
    with pytest.raises(ValueError, match="do not know the reader"):
        ClipLoader(readers[1], BATCHES, workers=ClipWorkers(readers[:1]))
