"""A run killed or stopped at any step ends as if it had not been; a toy stage shows each one."""

import os
import signal
from types import SimpleNamespace

import pytest
import torch
from run_records import STARTED
from torch import nn
from torch.nn import functional
from vireid.engine.late_losses import NonFiniteLoss
from vireid.engine.options import LoopOptions, OptimiserOptions
from vireid.engine.run_folder import RunFolder
from vireid.engine.runtime import Runtime
from vireid.engine.schedule import LearningRate, Phase, StageSchedule, optimiser_rule
from vireid.engine.stages import Stage, run_stages
from vireid.engine.step_guard import IN_A_ROW
from vireid.engine.stop_signals import StopSignals
from vireid.errors import Stopped, UserError
from vireid.memory import ClusterMemory
from vireid.random_streams import generator

STEPS, EPOCHS = 4, 3
DECAY = 0.9  # of the average that the runs keep beside the weights
LABELS = torch.tensor([0, 1, 2, 0])


class Killed(BaseException):
    """Stands for kill -9: nothing in the program catches it."""


class Toy(Stage):
    """Draws its batches from the step, and keeps a memory from one epoch to the next."""

    steps = STEPS

    def __init__(self, name, model, fatal=None, end=None, spoilt=False):
        rate = LearningRate("step", 0.05, EPOCHS, milestones=(1,))
        rule = optimiser_rule(OptimiserOptions())
        super().__init__(StageSchedule(name, rate, rule, (Phase(0, {"memory": 1.0}),), STEPS))
        self.model, self.fatal = model, fatal
        self.end = end or self.die
        self.memory = ClusterMemory(functional.normalize(torch.eye(3, 5), dim=1))
        self.calls, self.spoilt = 0, spoilt

    def batches(self, epoch, first=0):
        for step in range(first, STEPS):
            draw = generator(7, epoch, step)
            yield torch.randn(4, 6, generator=draw), torch.arange(4)

    def losses(self, clips, index, step):
        self.calls += 1
        if self.calls == self.fatal:
            self.end()
        if self.spoilt:
            clips = clips * float("inf")
        embeddings = self.model(clips) + self.offset
        self.writes.later(self.memory, functional.normalize(embeddings, dim=1), LABELS)
        return {"memory": self.memory(embeddings, LABELS)}

    def die(self):
        raise Killed

    def state(self):
        return {"prototypes": self.memory.prototypes.clone()}

    def load_state(self, state):
        self.memory.prototypes.copy_(state["prototypes"])

    def begin_epoch(self, epoch, step):
        # As a clustering does: follows from the weights with which the epoch begins.
        self.offset = self.model[0].weight.detach().mean()

    def epoch_state(self):
        return {"offset": self.offset}

    def continue_epoch(self, epoch, step, state):
        self.offset = state["offset"]


def train(folder, fatal=None, *, resume=False, end=None, scaled=False, spoilt=False, decay=0.0):
    """Weights, their average, and prototypes after two toy stages.

    It ends, as ``end`` does, where ``fatal`` says.

    ``scaled`` trains as in fp16, with a scale that overflows at first and grows every three steps;
    ``spoilt`` makes every loss of the first stage NaN.
    """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 5))
    # As the constants of a network of timm: no part of its state.
    model[0].register_buffer("constant", torch.ones(1), persistent=False)
    model.revision = 1
    options = LoopOptions(output=folder, optimiser="adamw", log_interval=100, ema_decay=decay)
    run = RunFolder(folder, "seed: 0\n", resume=resume)
    if not run.resumed:
        run.record(**STARTED)
    session = SimpleNamespace(
        runtime=Runtime("cpu", "fp32"),
        fingerprint="toy",
        say=print,
        evaluate=lambda *arguments, **named: None,
    )
    if scaled:
        # Twice the greatest loss would leave the range of float32.
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=3)
        session.runtime.scaler = scaler
    first = Toy("first", model, fatal, end, spoilt)
    second = Toy("second", model, None if fatal is None else fatal - STEPS * EPOCHS, end)
    try:
        with StopSignals() as stop:
            stages = [first, second]
            run_stages(session, run, options, model, stages, untrained=False, stop=stop)
    finally:
        run.close()
    found = {**model.state_dict(), "prototypes": second.memory.prototypes.clone()}
    average = session.average.network.state_dict() if decay else {}
    found |= {f"average {name}": value for name, value in average.items()}
    if scaled:
        found |= {name: torch.tensor(value) for name, value in scaler.state_dict().items()}
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    weights = train(folder / "run", decay=DECAY)
    return weights, (folder / "run" / "metrics.jsonl").read_text().count("\n")


@pytest.mark.parametrize("fatal", range(1, 2 * STEPS * EPOCHS + 1))
def test_every_step_is_a_fine_one_to_be_killed_at(tmp_path, whole, fatal):
    weights, records = whole
    with pytest.raises(Killed):
        train(tmp_path, fatal, decay=DECAY)
    again = train(tmp_path, resume=True, decay=DECAY)
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == records


def test_short_epochs_do_not_hide_that_no_step_of_fp16_counts(tmp_path):
    assert STEPS < IN_A_ROW
    with pytest.raises(NonFiniteLoss):
        train(tmp_path, scaled=True, spoilt=True)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("fatal", range(1, 2 * STEPS * EPOCHS + 1))
def test_a_scheduler_costs_no_step(tmp_path, whole, fatal):
    weights, records = whole
    with pytest.raises(Stopped):
        train(tmp_path, fatal, end=terminate, decay=DECAY)
    kept = torch.load(tmp_path / "checkpoints" / "last.pt", weights_only=True)
    assert kept["step"] + kept["within"]["taken"] == fatal
    again = train(tmp_path, resume=True, decay=DECAY)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert (tmp_path / "metrics.jsonl").read_text().count("\n") == records
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("fatal", [2, 5, 7, 12, 13, 18, 24])
def test_the_scale_of_a_loss_goes_on_where_it_stood(tmp_path, fatal):
    weights = train(tmp_path / "whole", scaled=True)
    with pytest.raises(Stopped):
        train(tmp_path / "run", fatal, end=terminate, scaled=True)
    kept = torch.load(tmp_path / "run" / "checkpoints" / "last.pt", weights_only=True)
    assert kept["scaler"]["scale"] != 2.0**127 and kept["scaler"]["_growth_tracker"] >= 0
    again = train(tmp_path / "run", resume=True, scaled=True)
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.parametrize("fatal", [3, STEPS + 1, STEPS * EPOCHS + 1, STEPS * EPOCHS + 2])
def test_the_scale_of_a_loss_outlives_a_kill(tmp_path, fatal):
    weights = train(tmp_path / "whole", scaled=True)
    with pytest.raises(Killed):
        train(tmp_path / "run", fatal, scaled=True)
    again = train(tmp_path / "run", resume=True, scaled=True)
    assert weights.keys() == again.keys()
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_an_average_beside_changes_nothing_of_the_training(tmp_path, whole):
    without = train(tmp_path / "run")
    assert not any(name.startswith("average") for name in without)
    assert all(torch.equal(whole[0][name], without[name]) for name in without)


def test_a_checkpoint_without_its_average_is_refused(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, STEPS + 1)
    with pytest.raises(UserError, match="its averaged network should be a table, found None"):
        train(tmp_path, resume=True, decay=DECAY)


def test_a_checkpoint_whose_weights_meant_something_else_is_refused(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, STEPS + 1)
    checkpoint = tmp_path / "checkpoints" / "last.pt"
    kept = torch.load(checkpoint, weights_only=True)
    torch.save({**kept, "revision": kept["revision"] + 1}, checkpoint)
    with pytest.raises(UserError, match="compute something else now"):
        train(tmp_path, resume=True)
    # Before there were revisions, all had the first.
    torch.save({name: value for name, value in kept.items() if name != "revision"}, checkpoint)
    train(tmp_path, resume=True)
