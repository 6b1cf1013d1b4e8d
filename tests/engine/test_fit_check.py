"""A run that does not fit is refused before its first step, with figures and ways that help."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from run_records import records
from safetensors.torch import load_file
from tiny_runs import BASELINE, COMMON, MMM, flags
from vireid.cli import main
from vireid.configs import small_config
from vireid.engine import fit_check, run_needs, ways_out
from vireid.engine.options import TrainingOptions
from vireid.engine.planned_stages import PlannedStage
from vireid.engine.resources import GIB, MIB, Room
from vireid.engine.run_needs import pinned_bytes, worker_bytes

SHORT = {**BASELINE, "intra_epochs": 1, "cross_epochs": 0, "steps": 1}
# Little activations beside the libraries would leave nothing to save.
LARGE = {**SHORT, "img_h": 256, "img_w": 128, "num_frames": 4, "pretrain_tracks": 16}
SUPERVISED = {**COMMON, "weights": "none", "epochs": 1, "separation_weight": 1.0}


@pytest.fixture
def memory(monkeypatch):
    """Sets what is free, in MiB."""

    def free(size):
        room = Room(int(size * MIB), 64 * GIB)
        monkeypatch.setattr("vireid.engine.resources.host_memory", lambda: room)

    return free


@pytest.fixture
def no_ways(monkeypatch):
    """Looks for no way out, which takes a moment."""
    monkeypatch.setattr(ways_out.WaysOut, "_memory", lambda self, short: [])


@pytest.fixture(scope="module")
def stage_one(tiny_set, tmp_path_factory):
    run = tmp_path_factory.mktemp("fit") / "baseline"
    assert main(flags("baseline", tiny_set, run, SHORT)) == 0
    return run


def needed(text):
    """MiB that the message says the run needs."""
    number, unit = re.search(r"  memory: needs ([\d.]+) ([MG])iB", text).groups()
    return float(number) * (1024 if unit == "G" else 1)


@pytest.mark.parametrize("sharing", [1, 2])
def test_processes_that_share_a_card_need_room_on_it_together(monkeypatch, sharing):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(sharing))
    monkeypatch.setattr("vireid.engine.resources.gpu_memory", lambda device: Room(3 * GIB, 8 * GIB))
    need = run_needs.Need({"activations": 2 * GIB})
    needs = run_needs.RunNeeds(run_needs.Need(), need, run_needs.Need(), None, "a step")
    session = SimpleNamespace(runtime=SimpleNamespace(device=torch.device("cuda")), run=None)
    (card,) = (one for one in fit_check.needs_and_rooms(needs, session) if one.what == "GPU memory")
    assert card.total == sharing * 2 * GIB
    assert ("for 2 processes" in str(card)) == (sharing == 2)


def test_averaged_weights_are_counted(tiny_set, tmp_path, memory, no_ways, monkeypatch):
    memory(10)
    seen, models, run_needs = [], [], fit_check.run_needs

    def watched(session, options, model, plan):
        models.append(model)
        seen.append(run_needs(session, options, model, plan))
        return seen[-1]

    monkeypatch.setattr(fit_check, "run_needs", watched)
    for decay in (0.0, 0.9):
        settings = {**SHORT, "ema_decay": decay}
        assert main(flags("baseline", tiny_set, tmp_path / str(decay), settings)) == 1
    weights = sum(value.nbytes for value in models[0].state_dict().values())
    assert seen[1].memory.total - seen[0].memory.total == weights
    # In the checkpoint, in the next one that is written beside it, and at the end.
    assert seen[1].disk.total - seen[0].disk.total == 3 * weights


def test_a_run_that_fits_says_what_it_needs(stage_one):
    log = (stage_one / "log.txt").read_text()
    assert re.search(r"the run needs at most about \d+ MiB of memory \([\d.]+ GiB free of", log)
    assert re.search(r"MiB of disk \([\d.]+ [MG]iB free of", log)
    assert "shared memory" not in log  # no workers


def test_it_is_refused_with_figures_and_ways_that_help(
    tiny_set, tmp_path, capsys, memory, monkeypatch
):
    memory(400)
    output = tmp_path / "run"
    settings = {**LARGE, "cache": "none"}
    assert main(flags("baseline", tiny_set, output, settings)) == 1
    told = capsys.readouterr().err
    assert "its largest step is pretrain, 64 clips of 4 frames of 256 x 128." in told
    assert "400 MiB free of 64.0 GiB" in told
    assert re.search(r"\(activations [\d.]+ [MG]iB, libraries", told)
    assert str(small_config("baseline", images=False)) in told
    assert "--dry-run" in told
    assert "--force" in told
    assert "Traceback" not in told
    ways = {line.split()[0]: line for line in told.splitlines() if line.startswith("  --")}
    assert {"--accumulate", "--img-h", "--num-frames"} <= ways.keys()
    assert not (output / "checkpoints" / "last.pt").exists()
    # A way of the message, taken, has the figure that it promises.
    change = re.match(r"  --img-h (\d+) --img-w (\d+): (\d+) MiB", ways["--img-h"]).groups()
    smaller = {**settings, "img_h": change[0], "img_w": change[1]}
    memory(100)
    monkeypatch.setattr(ways_out.WaysOut, "_memory", lambda self, short: [])
    assert main(flags("baseline", tiny_set, tmp_path / "smaller", smaller)) == 1
    assert needed(capsys.readouterr().err) == pytest.approx(int(change[2]), abs=1)


@pytest.mark.parametrize("flag", [[], ["--force"]])
def test_a_dry_run_is_looked_at_too(tiny_set, tmp_path, capsys, memory, no_ways, flag):
    memory(10)
    code = main([*flags("baseline", tiny_set, tmp_path / "run", SHORT), "--dry-run", *flag])
    captured = capsys.readouterr()
    assert code == (0 if flag else 1)
    assert ("does not fit" in captured.err) == (not flag)
    assert ("expected before the first step:" in captured.out) == bool(flag)
    assert not (tmp_path / "run").exists()


def test_every_training_is_looked_at(tiny_set, stage_one, tmp_path, capsys, memory, monkeypatch):
    memory(10)
    # The backbones alone: the others take a moment.
    for kind in ("_parts", "_sizes", "_lengths"):
        monkeypatch.setattr(ways_out.WaysOut, kind, lambda self: [])
    monkeypatch.setattr(ways_out, "BACKBONES", ("thin-2",))
    some = {**MMM, "baseline": stage_one}
    lines = [
        flags("mmm", tiny_set, tmp_path / "two", {**some, "cache": "none"}),
        flags("mmm", tiny_set, tmp_path / "semi", {**some, "semi_supervised": 0.5}),
        [*flags("mmm", tiny_set, tmp_path / "labels", SUPERVISED), "--supervised"],
    ]
    for line in lines:
        line[line.index("--cache") + 1] = "none"
        assert main(line) == 1
        told = capsys.readouterr().err
        assert "does not fit" in told
        # Stage two has the backbone that stage one trained.
        assert ("--backbone thin-2:" in told) == ("--supervised" in line)


def test_force_goes_on_and_the_weights_are_the_same(
    tiny_set, stage_one, tmp_path, memory, monkeypatch
):
    weights = load_file(stage_one / "encoder.safetensors")
    settings = {**SHORT, "cache": "none"}
    memory(10)
    line = flags("baseline", tiny_set, tmp_path / "forced", settings)
    assert main([*line, "--force"]) == 0
    log = (tmp_path / "forced" / "log.txt").read_text()
    assert "warning: --force: the run does not fit" in log

    def broken(*arguments):
        raise RuntimeError("no such kernel")

    # What cannot be estimated stops no run.
    monkeypatch.setattr(fit_check, "run_needs", broken)
    assert main(flags("baseline", tiny_set, tmp_path / "unlooked", settings)) == 0
    log = (tmp_path / "unlooked" / "log.txt").read_text()
    assert "what the run needs is not known: RuntimeError: no such kernel" in log
    for name in ("forced", "unlooked"):
        found = load_file(tmp_path / name / "encoder.safetensors")
        assert all(torch.equal(value, weights[key]) for key, value in found.items())


def test_a_resumed_run_is_looked_at(tiny_set, stage_one, capsys, memory, no_ways):
    memory(10)
    checkpoint = (stage_one / "checkpoints" / "last.pt").read_bytes()
    line = [*flags("baseline", tiny_set, stage_one, {**SHORT, "cache": "none"}), "--resume"]
    assert main(line) == 1
    told = capsys.readouterr().err
    assert "A resumed run keeps its settings." in told
    assert (stage_one / "checkpoints" / "last.pt").read_bytes() == checkpoint
    assert records(stage_one, "evaluation")
    assert main([*line, "--force"]) == 0


def test_a_small_disk(tiny_set, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vireid.engine.resources.disk_space", lambda path: Room(MIB, GIB))
    assert main(flags("baseline", tiny_set, tmp_path / "run", SHORT)) == 1
    told = capsys.readouterr().err
    assert re.search(r"disk: needs \d+ MiB \(.*records 64 MiB.*\); 1 MiB free of 1.0 GiB", told)
    assert "another --output" in told
    assert "memory: needs" not in told


def test_little_shared_memory(tiny_set, tmp_path, capsys, monkeypatch):
    room = Room(100 * 1024, 64 * MIB)
    monkeypatch.setattr("vireid.engine.resources.shared_memory", lambda: room)
    settings = {**SHORT, "cache": "none", "workers": 4}
    assert main(flags("baseline", tiny_set, tmp_path / "run", settings)) == 1
    told = capsys.readouterr().err
    assert "clips that workers read ahead" in told
    assert "  --workers 0:" in told
    # 24 clips of 2 x 32 x 16 x 3 bytes, 1 + 2 x workers times, in 95 % of 100 KiB.
    assert "--workers 1" not in told


def test_workers_hold_the_names_of_all_frames():
    assert worker_bytes(0, 10**6) == 0
    assert worker_bytes(4, 200_000) - worker_bytes(4, 0) == 4 * 200_000 * 300


def test_pinned_memory_is_kept_in_blocks_of_a_power_of_two():
    assert pinned_bytes([1024], 0) == 2 * 1024
    assert pinned_bytes([1025], 0) == pinned_bytes([2048], 0) == 2 * 2048
    # Two sizes of stages share a block's size, a third does not; 2 x 3 ahead, one in use, one more.
    assert pinned_bytes([1025, 2000, 100], 3) == 8 * (2048 + 128)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_clips_are_pinned_in_the_memory_of_a_machine_with_a_card(monkeypatch, device):
    track = SimpleNamespace(frames=range(500))
    session = SimpleNamespace(
        modalities=np.array([0, 0, 1, 1]),
        tracks=[track] * 4,
        test_tracks=[track] * 2,
        runtime=SimpleNamespace(device=torch.device(device)),
        run=None,
    )
    step = SimpleNamespace(gradients=0, activations=0, width=1, scaled_from=0)
    monkeypatch.setattr(run_needs, "training_step_memory", lambda *arguments: step)
    monkeypatch.setattr(run_needs, "embedding_memory", lambda *arguments: 0)
    options = TrainingOptions(
        dataset="hitsz-vcm", data_dir=".", output=".", workers=2, batch_size=2, img_h=8, img_w=4
    )
    plan = [
        PlannedStage("one", 1, 1, [0, 1, 2, 3], lambda *arguments: {}, num_frames=frames)
        for frames in (1, 6)
    ]
    parts = run_needs.run_needs(session, options, torch.nn.Identity(), plan).memory.parts
    assert parts["worker processes"] == worker_bytes(2, 6 * 500)
    pixels = 8 * 4 * 3
    expected = pinned_bytes([4 * pixels, 4 * 6 * pixels, 2 * 6 * pixels], 2)
    assert parts.get("pinned clips") == (expected if device == "cuda" else None)


def test_processes_of_a_machine_share_its_memory(
    tiny_set, tmp_path, capsys, memory, no_ways, monkeypatch
):
    memory(10)
    monkeypatch.setattr("vireid.distributed.processes.count_here", lambda: 4)
    assert main(flags("baseline", tiny_set, tmp_path / "run", {**SHORT, "cache": "none"})) == 1
    assert "for 4 processes, each (" in capsys.readouterr().err


def test_a_cache_larger_than_what_is_free_is_not_filled(tiny_set, tmp_path, capsys, memory):
    memory(0.5)
    assert main(flags("baseline", tiny_set, tmp_path / "run", SHORT)) == 2
    assert "need a cache of" in capsys.readouterr().err


def test_shipped_configurations_exist():
    for training in ("baseline", "mmm"):
        for images in (False, True):
            assert small_config(training, images=images).is_file()
    assert small_config("supervised", images=False).is_file()
    assert small_config("supervised", images=True) is None
