"""Training in fp16: whole steps of a real stage through `train_epoch`, on a CPU."""

import contextlib
import dataclasses
import json
import os
import signal
from pathlib import Path

import pytest
import torch
from run_records import records
from scaled_steps import SCALE, settings_of, train
from vireid.engine.late_losses import NonFiniteLoss
from vireid.engine.runtime import Runtime
from vireid.engine.step_guard import IN_A_ROW
from vireid.errors import Stopped
from vireid.reporting.run_facts import facts
from vireid.reporting.run_record import read_run
from vireid.supervised.m3reid_stage import Supervised
from vireid.supervised.train import train_supervised

HOW = [
    pytest.param({"optimiser": kind, "accumulate": parts}, id=f"{kind} in {parts}")
    for kind in ("adam", "adamw", "sgd")
    for parts in (1, 2)
]


@pytest.fixture
def half(monkeypatch):
    """fp16 is fp16 on this CPU too, slow as it is there."""
    monkeypatch.setattr(Runtime, "_resolved", lambda self, precision, on_cpu: precision)
    return {"precision": "fp16"}


def assert_same(found, wanted, **tolerance):
    """Equal parameters and statistics."""
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, msg=name, **tolerance)


def parameters(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def moved(found, wanted):
    return max(float((found[name] - wanted[name]).abs().max()) for name in wanted)


@pytest.mark.parametrize("how", HOW)
def test_scaled_steps_are_the_plain_ones(how, tiny_set, tmp_path):
    plain, *_ = train(tiny_set, tmp_path / "plain", **how)
    scaled, _, session, scales = train(tiny_set, tmp_path / "scaled", scale=SCALE, **how)
    assert scales == [SCALE] * 4 and session.runtime.scaler.get_scale() == SCALE
    assert_same(scaled.state_dict(), plain.state_dict(), atol=1e-6, rtol=1e-6)
    start, *_ = train(tiny_set, tmp_path / "start", **{**how, "lr": 0.0})
    assert moved(parameters(plain), parameters(start)) > 1e-3


@pytest.mark.parametrize("how", HOW)
def test_a_step_that_overflows_moves_nothing_and_halves_the_scale(how, tiny_set, tmp_path):
    how = {**how, "steps": 3}
    found, totals, _, scales = train(tiny_set, tmp_path / "over", scale=SCALE, overflow=2, **how)
    assert (totals.taken, totals.left_out) == (3, 0)
    assert scales == [SCALE] * 3
    # The last step is the one that overflows: the others alone give the same parameters.
    wanted, _, session, _ = train(tiny_set, tmp_path / "less", scale=SCALE, untaken=2, **how)
    assert session.runtime.scaler.get_scale() == SCALE
    assert_same(parameters(found), parameters(wanted), atol=0, rtol=0)


def test_after_an_overflow_the_scale_is_half_and_training_goes_on(tiny_set, tmp_path):
    _, _, session, scales = train(tiny_set, tmp_path / "run", scale=SCALE, overflow=1)
    assert scales == [SCALE, SCALE, SCALE / 2, SCALE / 2]
    assert session.runtime.scaler.get_scale() == SCALE / 2


@pytest.mark.parametrize("accumulate", [1, 2])
def test_gradients_are_summed_over_processes_before_they_are_scaled_back(
    accumulate, tiny_set, tmp_path, torchrun
):
    how = {"data": str(tiny_set), "accumulate": accumulate, "optimiser": "sgd"}
    runs = {
        name: {**how, **more, "output": str(tmp_path / f"two-{name}")}
        for name, more in {
            "scaled": {"scale": SCALE},
            "over": {"scale": SCALE, "overflow": 1},
        }.items()
    }
    file = tmp_path / "runs.json"
    file.write_text(json.dumps(runs), encoding="utf-8")
    done = torchrun(str(Path(__file__).parents[1] / "scaled_steps.py"), str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    saved = {
        (name, rank): torch.load(f"{run['output']}-{name}-{rank}.pt", weights_only=True)
        for name, run in runs.items()
        for rank in (0, 1)
    }
    one, *_ = train(output=tmp_path / "one", **how)
    for rank in (0, 1):
        assert_same(saved["scaled", rank]["model"], one.state_dict(), atol=1e-3, rtol=1e-2)
    # One process alone overflows: both leave the step out and lower their scales.
    first, second = (saved["over", rank] for rank in (0, 1))
    assert first["scales"] == second["scales"] == [SCALE, SCALE, SCALE / 2, SCALE / 2]
    assert_same(first["model"], second["model"], atol=0, rtol=0)
    assert all(torch.isfinite(value).all() for value in first["model"].values())


def test_in_fp16_the_scale_sinks_until_the_gradients_fit(half, tiny_set, tmp_path):
    # The first gradient, of the logits in half precision, is beyond 65,504 at this scale.
    start, *_ = train(tiny_set, tmp_path / "start", lr=0.0, **half)
    found, totals, session, scales = train(
        tiny_set, tmp_path / "run", scale=2.0**24, steps=16, p_num=2, k_num=2, **half
    )
    final = session.runtime.scaler.get_scale()
    assert session.runtime.precision == "fp16"
    assert scales[:3] == [2.0**24, 2.0**23, 2.0**22] and final < 2.0**20
    assert totals.taken == 16 and totals.left_out == 0
    assert all(torch.isfinite(value).all() for value in found.state_dict().values())
    assert moved(parameters(found), parameters(start)) > 1e-3


def test_in_fp16_a_loss_that_is_not_finite_costs_its_step_alone(half, tiny_set, tmp_path):
    found, totals, session, scales = train(
        tiny_set, tmp_path / "spoilt", spoil=(3,), scale=1024.0, **half
    )
    assert (totals.taken, totals.left_out) == (4, 1)
    wanted, *_ = train(tiny_set, tmp_path / "less", untaken=3, scale=1024.0, **half)
    # Statistics of batch norm included: the step left no trace.
    assert_same(found.state_dict(), wanted.state_dict(), atol=0, rtol=0)
    assert session.runtime.scaler.get_scale() == 512.0 and len(scales) == 4


def test_in_fp16_too_many_of_them_stop_the_run_by_name(half, tiny_set, tmp_path):
    steps = IN_A_ROW + 2
    with pytest.raises(NonFiniteLoss, match=r"the loss .*ID clip.* is not finite"):
        train(tiny_set, tmp_path / "run", spoil=range(1, steps), steps=steps, **half)
    assert (tmp_path / "run" / "non_finite_batch.pt").is_file()


def test_a_run_in_fp16_stopped_and_gone_on_with_is_the_whole_run(half, tiny_set, tmp_path):
    found = {}
    for name, fatal in (("whole", None), ("stopped", 3)):
        settings = settings_of(tiny_set, tmp_path / name, epochs=2, **half)
        if fatal is not None:
            with stopped_after(fatal), pytest.raises(Stopped):
                train_supervised(settings)
            settings = dataclasses.replace(settings, resume="output")
        train_supervised(settings)
        found[name] = tmp_path / name
    kept = [
        torch.load(path / "checkpoints" / "last.pt", weights_only=True) for path in found.values()
    ]
    assert_same(kept[1]["model"], kept[0]["model"], atol=0, rtol=0)
    assert kept[0]["scaler"] == kept[1]["scaler"] and kept[0]["scaler"]["scale"] > 1
    for path in found.values():
        (said, *_) = records(path, "run")
        assert (said["training_precision"], said["test_precision"]) == ("fp16", "fp32")
        assert ("Number formats", "fp16 in training, fp32 in tests") in facts(read_run(path))


@contextlib.contextmanager
def stopped_after(batches):
    """A scheduler's word in the middle of that batch."""
    with pytest.MonkeyPatch.context() as patch:
        losses, seen = Supervised.losses, []

        def counted(self, clips, index, step):
            seen.append(step)
            if len(seen) == batches:
                os.kill(os.getpid(), signal.SIGTERM)
            return losses(self, clips, index, step)

        patch.setattr(Supervised, "losses", counted)
        yield
