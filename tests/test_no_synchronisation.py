"""The training loop waits for a device where the table permits it, and nowhere else."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from vireid import transfers
from vireid.distributed import ranks
from vireid.engine import late_losses, training
from vireid.engine.run_folder import RunFolder
from vireid.engine.schedule import LearningRate
from vireid.engine.step_guard import StepGuard
from vireid.engine.stop_signals import StopSignals
from vireid.memory import ClusterMemory
from vireid.memory.writes import PendingWrites

from .fake_cuda import CUDA, FakeDevice, Synchronisation
from .permitted_waits import END_OF_AN_EPOCH, LOSSES_OF_A_STEP, STOP_OF_SEVERAL

STEPS = 6


class Runtime:
    """Does no backward pass, which fake tensors cannot do."""

    device, scaler = CUDA, None

    def backward(self, loss):
        assert loss.device == CUDA and loss.requires_grad

    def step(self, optimiser):
        pass


@pytest.fixture
def epoch(tmp_path, monkeypatch):
    """An epoch on the device; gives what was done there, in its order."""
    done = []

    class Copied(transfers.OnItsWay):
        """Fake tensors have no values to arrive; the event is a mark in the list."""

        def __init__(self, values):
            super().__init__(values)
            self.like = values.shape, values.dtype

        def arrived(self):
            super().arrived()
            shape, dtype = self.like
            return (torch.ones if dtype.is_floating_point else torch.zeros)(shape)

    def mark():
        number = sum(word.startswith("copy") for word in done) + 1
        done.append(f"copy {number}")
        return SimpleNamespace(synchronize=lambda: done.append(f"wait for {number}"))

    def run(*, guarded=False, log_interval=50, loss=None, several=False):
        device = FakeDevice()
        model = device.put(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
        writes = PendingWrites()
        folder = RunFolder(tmp_path / "run", "{}\n", resume=False)
        with device.watched(count=True):
            memory = ClusterMemory(torch.zeros(3, 4, device=CUDA))
            optimiser = torch.optim.SGD(model.parameters(), lr=0.1)

        def losses(clips, index, step):
            done.append(f"step {step + 1}")
            rows = model(torch.zeros(2, 4, device=CUDA))
            writes.later(memory, rows, index)
            value = memory(rows, index)
            return {"memory": value if loss is None else loss(value)}

        monkeypatch.setattr(transfers, "_mark", mark)
        if several:  # as with NCCL, whose sums go on beside the host
            monkeypatch.setattr(ranks, "count", lambda: 2)
            monkeypatch.setattr(ranks, "_device", lambda: CUDA)
            monkeypatch.setattr(torch.distributed, "all_reduce", lambda values: None)
        for module in (training, late_losses, ranks):
            monkeypatch.setattr(module, "OnItsWay", Copied)
        batch = (torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1]))
        each = (*LOSSES_OF_A_STEP, *(STOP_OF_SEVERAL if several else ()))
        waits = (*each * STEPS, *END_OF_AN_EPOCH)
        try:
            with device.watched(*waits) as watch:
                training.train_epoch(
                    Runtime(),
                    folder,
                    training.Position("stage", 0, 1, 0),
                    optimiser,
                    LearningRate("step", 0.1, 1),
                    [batch] * STEPS,
                    STEPS,
                    losses,
                    writes.write,
                    log_interval,
                    stop=StopSignals().watch() if several else None,
                    guard=StepGuard(model, writes) if guarded else None,
                )
        finally:
            folder.close()
        assert tuple(watch.waits) == waits
        return done

    return run


@pytest.mark.parametrize("guarded", [False, True], ids=["other precisions", "fp16"])
def test_the_host_waits_for_a_step_when_the_next_one_is_under_way(epoch, guarded):
    done = epoch(guarded=guarded, log_interval=4)
    wanted = []
    for step in range(1, STEPS + 1):
        wanted += [f"step {step}", f"copy {step}"]
        if step not in (1, 5):
            wanted.append(f"wait for {step - 1}")
        if step == 4:  # the log shows the loss of its own step
            wanted.append("wait for 4")
    assert done == [*wanted, "wait for 6", "copy 7", "wait for 7"]


def test_several_processes_agree_to_go_on_when_the_next_step_is_under_way(epoch):
    wanted = []
    for step in range(1, STEPS + 1):
        for copy in (2 * step - 1, 2 * step):  # the losses, the votes
            wanted += [f"step {step}"] * (copy % 2) + [f"copy {copy}"]
            wanted += [f"wait for {copy - 2}"] * (step > 1)
    assert epoch(several=True) == [*wanted, "wait for 11", "copy 13", "wait for 13"]


def test_a_loop_that_reads_a_loss_is_found(epoch):
    with pytest.raises(Synchronisation):
        epoch(guarded=False, loss=lambda value: value * float(value.detach()))
