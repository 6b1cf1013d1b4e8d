"""Random streams, and the stop on a loss that is not finite."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from vireid.engine import late_losses
from vireid.engine.late_losses import NonFiniteLoss
from vireid.engine.run_folder import RunFolder
from vireid.engine.runtime import Runtime
from vireid.engine.schedule import LearningRate
from vireid.engine.step_guard import IN_A_ROW, StepGuard
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.engine.weight_average import WeightAverage
from vireid.memory import ClusterMemory
from vireid.memory.writes import PendingWrites
from vireid.random_streams import generator


def test_streams_depend_on_the_whole_key():
    draws = {
        key: torch.rand(1, generator=generator(*key)).item()
        for key in ((0, 1), (1, 0), (0, 1, 0), (0, 2))
    }
    assert len(set(draws.values())) == len(draws)
    assert draws[0, 1] == torch.rand(1, generator=generator(0, 1)).item()


class Run:
    """A folder for records and batches."""

    def __init__(self, path):
        self.folder = RunFolder(path / "run", "{}\n", resume=False)

    def __enter__(self):
        return self.folder

    def __exit__(self, *_):
        self.folder.close()


BATCH = (torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8), torch.tensor([5, 6]))


def train(run, losses, *, optimiser=None, batches=1, runtime=None, **given):
    """An epoch of one parameter, or of the optimiser's."""
    weight = torch.nn.Parameter(torch.ones(1))
    return train_epoch(
        runtime or Runtime("cpu", "fp32"),
        run,
        Position("intra_modality", 0, 1, 0),
        optimiser or torch.optim.SGD([weight], lr=0.1),
        LearningRate("step", 0.1, 1),
        [BATCH] * batches if isinstance(batches, int) else batches,
        batches if isinstance(batches, int) else len(batches),
        lambda clips, index, step: losses(weight, step),
        **given,
    )


def spoilt(*steps):
    """Terms of which one is not finite in these steps."""

    def losses(weight, step):
        return {
            "good": weight.sum(),
            "bad term": weight.sum() * float("nan" if step in steps else 1.0),
        }

    return losses


@pytest.mark.parametrize("bad", range(4))
def test_a_loss_that_is_not_finite_is_named_and_its_batch_saved(tmp_path, bad):
    batches = [(BATCH[0] + n, BATCH[1] + n) for n in range(4)]
    with Run(tmp_path) as run:
        with pytest.raises(NonFiniteLoss, match=f"step {bad + 1}: the loss bad term") as raised:
            train(run, spoilt(bad), batches=batches)
        assert not run.metrics_size()
    saved = torch.load(run.path / "non_finite_batch.pt", weights_only=True)
    assert str(run.path / "non_finite_batch.pt") in str(raised.value)
    assert saved["terms"] == ["bad term"]
    for name, wanted in zip(("clips", "index"), batches[bad]):
        assert torch.equal(saved[name], wanted)


def test_of_several_processes_one_saves_the_batch(tmp_path, monkeypatch):
    with Run(tmp_path) as run:
        monkeypatch.setattr(late_losses.ranks, "is_main", lambda: False)
        with pytest.raises(NonFiniteLoss):
            train(run, spoilt(0))
    assert not (run.path / "non_finite_batch.pt").exists()


def test_terms_that_only_their_sum_takes_out_of_range_are_named_as_such(tmp_path):
    largest = torch.finfo(torch.float32).max
    with Run(tmp_path) as run, pytest.raises(NonFiniteLoss, match="sums up all terms"):
        train(run, lambda weight, step: {name: weight.sum() * largest for name in "ab"})


def test_a_run_that_is_told_to_stop_keeps_no_state_of_a_step_that_is_not_finite(tmp_path):
    with Run(tmp_path) as run:
        asked = iter([False, True])
        kept = train(run, spoilt(), batches=4, stop=lambda: next(asked))
        assert kept.stopped and kept.taken == 2
        with pytest.raises(NonFiniteLoss):
            train(run, spoilt(0), batches=4, stop=lambda: True)


def test_the_losses_of_a_step_are_read_when_the_next_one_is_under_way(tmp_path, monkeypatch):
    order = []

    class Recorded(late_losses.OnItsWay):
        def __init__(self, values):
            super().__init__(values)
            order.append("asked")

        def arrived(self):
            order.append("read")
            return super().arrived()

    monkeypatch.setattr(late_losses, "OnItsWay", Recorded)
    with Run(tmp_path) as run:
        train(run, spoilt(), batches=5, log_interval=3)
    # The third step is read at once for the log, the fifth at the end of the epoch.
    late = ["asked", "asked", "read", "asked", "read", "read"]
    assert order == [*late, "asked", "asked", "read", "read"]


def test_the_log_shows_the_loss_of_its_own_step(tmp_path):
    with Run(tmp_path) as run:
        train(
            run, lambda weight, step: {"step": 0 * weight.sum() + step}, batches=5, log_interval=2
        )
    log = (run.path / "log.txt").read_text()
    assert "batch 2/5 loss 1.0000" in log and "batch 4/5 loss 3.0000" in log


def half_run(tmp_path, spoilt):
    """Trains a batch-norm network on ten batches in the way of fp16; some give no finite loss.

    Returns:
        The network, a memory that it wrote, its moving average, and the run folder; or what was
        raised.
    """
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Linear(2, 1))
    memory = ClusterMemory(torch.eye(2), momentum=0.5)
    writes = PendingWrites()
    average = WeightAverage(model, 0.9)
    runtime = Runtime("cpu", "fp32")
    runtime.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def after_step():
        writes.write()
        average.update(model)

    def losses(weight, step):
        factor = float("inf") if step in spoilt else 1.0
        rows = torch.tensor([[1.0, 2.0], [3.0, 5.0 + step]]) * factor
        writes.later(memory, rows, torch.tensor([0, 1]))
        return {
            "good": model(torch.ones_like(rows)).mean(),
            "bad term": model(rows).square().mean(),
        }

    with Run(tmp_path) as run:
        train(
            run,
            losses,
            # A real rate: a step that should not count would show.
            optimiser=torch.optim.AdamW(model.parameters(), lr=0.1, fused=True),
            batches=10,
            runtime=runtime,
            after_backward=after_step,
            guard=StepGuard(model, writes),
        )
    return model, memory, average.network, run.path


def test_steps_of_fp16_that_are_not_finite_are_left_out_whole(tmp_path):
    model, memory, average, folder = half_run(tmp_path / "spoilt", {2, 3, 6})
    assert model[0].num_batches_tracked == 2 * 7
    log = (folder / "log.txt").read_text()
    for step in (3, 4, 7):
        assert f"step {step} left out, the loss bad term is not finite" in log
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (record,) = [record for record in metrics if record["kind"] == "train"]
    assert record["step"] == 10 and math.isfinite(record["loss"])
    for network in (model, average):
        assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    # What the other seven steps alone would have written.
    other = ClusterMemory(torch.eye(2), momentum=0.5)
    for step in (0, 1, 4, 5, 7, 8, 9):
        other.update(torch.tensor([[1.0, 2.0], [3.0, 5.0 + step]]), torch.tensor([0, 1]))
    torch.testing.assert_close(memory.prototypes, other.prototypes)


def test_a_term_without_a_gradient_that_is_not_finite_moves_nothing_in_fp16(tmp_path):
    weight = torch.nn.Parameter(torch.ones(1))
    runtime = Runtime("cpu", "fp32")
    runtime.scaler = torch.amp.GradScaler("cpu")
    with Run(tmp_path) as run:
        train(
            run,
            lambda _, step: {"good": weight.sum(), "constant": torch.tensor(float("nan"))},
            optimiser=torch.optim.SGD([weight], lr=0.1, fused=True),
            batches=2,
            runtime=runtime,
            guard=StepGuard(torch.nn.Linear(1, 1), PendingWrites()),
        )
    assert weight.detach() == 1


def test_too_many_such_steps_in_a_row_stop_the_run(tmp_path):
    with pytest.raises(NonFiniteLoss, match="bad term"):
        half_run(tmp_path, set(range(1, 2 + IN_A_ROW)))
    assert (tmp_path / "run" / "non_finite_batch.pt").is_file()


def test_momentum_after_a_first_step_that_overflowed_is_that_of_the_second_alone(monkeypatch):
    empty = torch.empty_like  # whatever lies in memory
    monkeypatch.setattr(torch, "empty_like", lambda *a, **k: empty(*a, **k).fill_(7.0))
    settings = SimpleNamespace(optimiser="sgd", wd=0.1, backbone_rate=1.0)
    weights = []
    for overflows in (False, True):
        torch.manual_seed(0)
        layer = torch.nn.Linear(64, 64)
        runtime = Runtime("cpu", "fp32")
        runtime.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
        optimiser = make_optimiser(layer, settings, 0.1)
        for value in [float("inf")] * overflows + [1.0, 2.0]:
            optimiser.zero_grad(set_to_none=True)
            runtime.backward(layer(torch.full((2, 64), value)).mean())
            runtime.step(optimiser)
        weights.append(layer.weight.detach().clone())
    torch.testing.assert_close(*weights)


def test_a_part_that_the_first_step_does_not_reach_trains_on_from_the_second():
    settings = SimpleNamespace(optimiser="sgd", wd=0.1, backbone_rate=1.0)
    torch.manual_seed(0)
    stems = torch.nn.ModuleList([torch.nn.Linear(3, 1), torch.nn.Linear(3, 1)])
    optimiser, before = make_optimiser(stems, settings, 0.1), stems[1].weight.detach().clone()
    for used in ([0], [0, 1]):
        optimiser.zero_grad(set_to_none=True)
        sum(stems[n](torch.ones(2, 3)).mean() for n in used).backward()
        optimiser.step()
    gradient = 1 + 0.1 * before  # with the decay; its first step has momentum of its own alone
    torch.testing.assert_close(stems[1].weight.detach(), before - 0.1 * 1.9 * gradient)
