"""The processes that read frames, over a whole run: one set, the same result, none left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import BASELINE, flags
from vireid.cli import main
from vireid.engine import augment, encoder, session
from vireid.engine.options import SessionOptions
from vireid.engine.session import Session

SETTINGS = {**BASELINE, "intra_epochs": 1, "cache": "none"}
SMALL = {"dataset": "hitsz-vcm", "device": "cpu", "precision": "fp32", "allow_incomplete": True}
SMALL |= {"img_h": 32, "img_w": 16, "num_frames": 3, "test_frames": 2}


def train(data, folder, workers, *more):
    return main([*flags("baseline", data, folder, {**SETTINGS, "workers": workers}), *more])


def same_weights(left, right):
    first, second = (load_file(run / "encoder.safetensors") for run in (left, right))
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@pytest.fixture(scope="module")
def alone(tiny_set, tmp_path_factory):
    """A run that reads in its own process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert train(tiny_set, folder, 0) == 0
    return folder


class Steps:
    """Does something at a step of training or extraction, and notes the processes of each."""

    def __init__(self, monkeypatch, when=None, do=None):
        self.seen = []
        for owner in (augment.Augmenter, encoder.Encoder):
            self.watch(monkeypatch, owner, owner.__name__, when, do)

    def watch(self, monkeypatch, owner, name, when, do):
        original = owner.__call__

        def call(this, *arguments):
            pids = tuple(sorted(process.pid for process in multiprocessing.active_children()))
            self.seen.append((name, pids))
            if when == (name, sum(kind == name for kind, _ in self.seen)):
                do(pids)
            return original(this, *arguments)

        monkeypatch.setattr(owner, "__call__", call)


def test_one_set_of_processes_reads_for_a_whole_run(tiny_set, alone, tmp_path, monkeypatch):
    steps = Steps(monkeypatch)
    assert train(tiny_set, tmp_path / "run", 2) == 0
    (pids,) = {pids for _, pids in steps.seen}  # evaluations, three stages, extractions
    assert len(pids) == 2
    kinds = [kind for kind, _ in steps.seen]
    assert kinds.count("Augmenter") >= 2 + 3 + 3
    assert kinds[0] == kinds[-1] == "Encoder"
    assert multiprocessing.active_children() == []
    assert same_weights(tmp_path / "run", alone)


@pytest.mark.parametrize("when", [("Augmenter", 4), ("Augmenter", 6), ("Encoder", 2)])
def test_a_stopped_run_leaves_none_and_goes_on(tiny_set, alone, tmp_path, monkeypatch, when):
    with monkeypatch.context() as patch:
        Steps(patch, when, lambda pids: os.kill(os.getpid(), signal.SIGTERM))
        assert train(tiny_set, tmp_path / "run", 2) == 75
    assert multiprocessing.active_children() == []
    more = ["--resume"] if (tmp_path / "run" / "checkpoints" / "last.pt").exists() else []
    assert train(tiny_set, tmp_path / "run", 1, *more) == 0
    assert same_weights(tmp_path / "run", alone)


@pytest.mark.usefixtures("killed_workers")
@pytest.mark.parametrize("when", [("Augmenter", 4), ("Encoder", 2)])
def test_a_killed_worker_is_one_message(tiny_set, tmp_path, monkeypatch, capsys, when):
    Steps(monkeypatch, when, lambda pids: os.kill(pids[0], signal.SIGKILL))
    assert train(tiny_set, tmp_path / "run", 2) == 1
    said = capsys.readouterr().err
    assert said.count("vireid: ") == said.count("was killed from outside") == 1
    assert "Traceback" not in said
    assert multiprocessing.active_children() == []


def test_an_error_leaves_none(tiny_set, tmp_path, monkeypatch):
    def fail(pids):
        assert len(pids) == 2
        raise ZeroDivisionError

    Steps(monkeypatch, ("Augmenter", 3), fail)
    with pytest.raises(ZeroDivisionError):
        train(tiny_set, tmp_path / "run", 2)
    assert multiprocessing.active_children() == []


@pytest.mark.usefixtures("killed_workers")
def test_an_evaluation_says_that_a_worker_was_killed(
    tiny_set, alone, tmp_path, monkeypatch, capsys
):
    words = ["evaluate", "--dataset", "hitsz-vcm", "--data-dir", str(tiny_set), "--device", "cpu"]
    words += ["--checkpoint", str(alone), "--batch-size", "1", "--workers", "1"]
    assert main(words) == 0
    assert multiprocessing.active_children() == []
    Steps(monkeypatch, ("Encoder", 2), lambda pids: os.kill(pids[0], signal.SIGKILL))
    assert main(words) == 1
    said = capsys.readouterr().err
    assert said.count("vireid: ") == said.count("was killed from outside") == 1
    assert multiprocessing.active_children() == []


def test_an_epoch_that_goes_on_in_its_middle_draws_what_the_whole_one_draws(tiny_set):
    batches = [[5, 0, 5], [1, 2, 3], [7, 7, 4], [9, 8, 0]]
    found = []
    for workers in (0, 1, 2):
        options = SessionOptions(data_dir=tiny_set, workers=workers, **SMALL)
        with Session(options, "baseline", None, labelled=False) as one:
            whole = list(one.training_clips(batches, (3, 1)))
            rest = list(one.training_clips(batches, (3, 1), first=2))
        assert [index.tolist() for _, index in whole] == batches
        assert len(rest) == 2
        assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[2:], rest))
        found.append(torch.stack([clips for clips, _ in whole]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda", True)])
def test_clips_are_pinned_for_a_card_alone(tiny_set, monkeypatch, device, pinned):
    stand_in = SimpleNamespace(device=torch.device(device), notes=())
    monkeypatch.setattr(session, "Runtime", lambda *arguments: stand_in)
    options = SessionOptions(data_dir=tiny_set, workers=3, **SMALL)
    with Session(options, "baseline", None, labelled=False) as one:
        workers = one._frames.workers
        assert workers.pin == pinned
        assert workers.count == 3
        assert {len(reader) for reader in workers.readers} == {
            len(one.tracks),
            len(one.test_tracks),
        }


def test_processes_of_one_machine_share_its_cores(tiny_set, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(32), raising=False)
    monkeypatch.setattr("vireid.distributed.processes.count_here", lambda: 2)
    options = SessionOptions(data_dir=tiny_set, workers=4, **SMALL)
    with Session(options, "baseline", None, labelled=False) as one:
        assert one._frames.workers.threads == 4
