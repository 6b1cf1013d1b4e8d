"""A dry run takes real steps, says what a run needs, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import BASELINE, COMMON, MMM, flags
from vireid.baselines.rehearsal import rehearse_baseline
from vireid.baselines.settings import BaselineSettings
from vireid.cli import main
from vireid.commands.mmm import MMMSettings
from vireid.engine import dry_run as module
from vireid.engine.dry_run import Seconds
from vireid.engine.planned_stages import some_tracks

SUPERVISED = {**COMMON, "weights": "none", "epochs": 2, "separation_weight": 1.0}
DRY = "--dry-run"


@pytest.fixture(scope="module")
def stage_one(tiny_set, tmp_path_factory):
    run = tmp_path_factory.mktemp("dry") / "baseline"
    short = {**BASELINE, "intra_epochs": 1, "cross_epochs": 0, "steps": 1}
    assert main(flags("baseline", tiny_set, run, short)) == 0
    return run


def rows(out):
    """Rows of the table by stage."""
    lines = [line.split() for line in out.splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) == 8 and line[2] == "x"}


def test_stage_one(tiny_set, tmp_path, capsys):
    output = tmp_path / "run"
    settings = {**BASELINE, "pretrain_frames": 1, "test_interval": 1}
    assert main([*flags("baseline", tiny_set, output, settings), DRY]) == 0
    out = capsys.readouterr().out
    # 24 clips of 1 frame in the warm-up; 2 x 3 x 4 clips of 2 frames are more.
    assert "intra_modality, 24 clips of 2 frames of 32 x 16, on CPU" in out
    assert re.search(r"peak memory: \d+(\.\d)? [MG]iB \(resident", out)
    found = rows(out)
    assert [found[name][:3] for name in ("pretrain", "intra_modality", "cross_modality")] == [
        ["1", "x", "2"],
        ["2", "x", "3"],
        ["1", "x", "6"],
    ]
    # Passes over the training tracks, evaluations.
    assert [found[name][4:6] for name in found] == [["0", "1"], ["2", "2"], ["1", "1"]]
    assert "whole run: about" in out
    assert not output.exists()


@pytest.mark.parametrize(
    ("variant", "passes"),
    [
        ("vireid", ["2", "1"]),
        # Not from stage one's network, whose features are there already.
        ("paper", ["3", "1"]),
        # A pass for the confidences and one for the prototypes after the first epoch.
        ("released", ["4", "1"]),
    ],
)
def test_stage_two(tiny_set, stage_one, tmp_path, capsys, variant, passes):
    output = tmp_path / "run"
    settings = {**MMM, "baseline": stage_one, "variant": variant, "ce_epochs": 1, "weights": "none"}
    before = {name: value.clone() for name, value in encoder(stage_one).items()}
    assert main([*flags("mmm", tiny_set, output, settings), DRY]) == 0
    out = capsys.readouterr().out
    assert "mmm, 12 clips of 2 frames of 32 x 16" in out
    assert rows(out)["mmm"][4:6] == passes
    assert not output.exists()
    assert all(torch.equal(value, before[name]) for name, value in encoder(stage_one).items())


def encoder(run):
    return load_file(run / "encoder.safetensors")


def test_with_labels_and_with_some(tiny_set, stage_one, tmp_path, capsys):
    output = tmp_path / "run"
    assert main([*flags("mmm", tiny_set, output, SUPERVISED), "--supervised", DRY]) == 0
    assert "supervised, 12 clips of 2 frames" in capsys.readouterr().out
    some = {**MMM, "baseline": stage_one, "semi_supervised": "0.5"}
    assert main([*flags("mmm", tiny_set, output, some), DRY]) == 0
    assert "mmm, 12 clips of 2 frames" in capsys.readouterr().out
    assert not output.exists()


def test_a_predecessor_that_is_missing_is_found_before_the_run(tiny_set, tmp_path, capsys):
    settings = {**MMM, "baseline": tmp_path / "nothing"}
    assert main([*flags("mmm", tiny_set, tmp_path / "run", settings), DRY]) == 2
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")]
)
def test_too_little_memory_ends_with_one_message(tiny_set, tmp_path, capsys, monkeypatch, error):
    def full(*arguments, **named):
        raise error

    monkeypatch.setattr("vireid.engine.runtime.Runtime.step", full)
    assert main([*flags("baseline", tiny_set, tmp_path / "run", BASELINE), DRY]) == 2
    message = capsys.readouterr().err
    assert "Lower --p-num (now 3)" in message
    assert "--accumulate (now 1)" in message
    assert "Traceback" not in message


def test_other_errors_are_not_called_memory(tiny_set, tmp_path, monkeypatch):
    def broken(*arguments, **named):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("vireid.engine.runtime.Runtime.step", broken)
    config = BaselineSettings(data_dir=tiny_set, output=tmp_path / "run", **BASELINE)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        rehearse_baseline(config)


def test_the_largest_step_comes_first(tiny_set, tmp_path, monkeypatch):
    taken = []
    real = module._training

    def spy(session, model, optimiser, stage, config):
        taken.append((stage.name, len(stage.batch)))
        return real(session, model, optimiser, stage, config)

    monkeypatch.setattr(module, "_training", spy)
    settings = {**BASELINE, "pretrain_tracks": 3, "k_num": 5}
    rehearse_baseline(BaselineSettings(data_dir=tiny_set, output=tmp_path / "run", **settings))
    # A batch of 1a and a joint one of 1b hold 3 x 5 clips of each modality.
    assert taken == [("intra_modality", 30), ("pretrain", 12), ("cross_modality", 30)]


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"workers": 0}, 5.0),
        ({"workers": 2}, 3.0),
        ({"workers": 1, "cache": "none"}, 3.0),
        ({"workers": 0, "cache": "memory"}, 2.0),
    ],
)
def test_reading_counts_where_it_is_waited_for(tmp_path, changes, seconds):
    settings = {**COMMON, "cache": "none", **changes}
    config = MMMSettings(data_dir=tmp_path, output=tmp_path, supervised=True, **settings)
    reading = 6.0 if config.workers == 2 else 3.0
    assert Seconds(reading, 2.0).with_workers(config) == seconds


def test_a_batch_takes_both_modalities(tiny_set, tmp_path):
    config = BaselineSettings(data_dir=tiny_set, output=tmp_path / "run", **BASELINE)
    session = module.Session(module.rehearsal(config), "baseline", None, labelled=False)
    few = int((session.modalities == 0).sum())
    batch = some_tracks(session, few + 4, 2)
    assert (session.modalities[batch] == np.repeat([0, 1], [few + 4, 2])).all()
    assert len(set(some_tracks(session, few, 2))) == few + 2
    assert dataclasses.replace(config, cache="none", workers=0) == module.rehearsal(config)
