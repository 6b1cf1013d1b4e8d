"""The stand-in for a CUDA device finds what it is there to find."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from .fake_cuda import CUDA, FakeDevice, Synchronisation, assert_on_cuda

WAITING: dict[str, Callable[[Tensor], object]] = {
    "a value": lambda x: x.sum().item(),
    "a decision": lambda x: bool((x > 0).all()),
    "a list": lambda x: x.tolist(),
    "a mask": lambda x: x[x > 0],
    "places": lambda x: (x > 0).nonzero(),
    "a mask that is written": lambda x: x.index_put_((x > 0,), x.sum()),
    "distinct values": lambda x: x.unique(),
    "classes that are counted": lambda x: nn.functional.one_hot(x.long()),
    "repetitions": lambda x: x.repeat_interleave(x.long()),
    "a copy to the host": lambda x: x.cpu(),
    "a copy from the host": lambda x: torch.tensor([1.0, 2.0]).to(x.device),
    "constants": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "places on the host": lambda x: x[torch.tensor([0, 1])],
    "places in a list": lambda x: x[[0, 1]],
}
FREE: dict[str, Callable[[Tensor], Tensor]] = {
    "a choice of two": lambda x: torch.where(x > 0, x, 0.0),
    "a mask that is filled": lambda x: x.masked_fill(x > 0, 1.0),
    "a mask that is multiplied": lambda x: x * (x > 0),
    "places on the device": lambda x: x[x.long()],
    "a copy of pinned memory": lambda x: torch.tensor([1.0]).to(x.device, non_blocking=True),
    "known repetitions": lambda x: x.repeat_interleave(x.long(), output_size=9),
    "known classes": lambda x: nn.functional.one_hot(x.long(), 5),
}


@pytest.mark.parametrize("what", WAITING)
def test_what_waits_for_the_device_is_found(what: str) -> None:
    device = FakeDevice()
    with device.watched(), pytest.raises(Synchronisation):
        WAITING[what](torch.zeros(4, device=CUDA))


@pytest.mark.parametrize("what", FREE)
def test_what_does_not_wait_is_let_through(what: str) -> None:
    device = FakeDevice()
    with device.watched() as watch:
        assert_on_cuda(FREE[what](torch.zeros(4, device=CUDA)))
    assert watch.waits == []


def test_a_tensor_left_on_the_cpu_is_found() -> None:
    device = FakeDevice()
    with device.watched(), pytest.raises(RuntimeError, match="device"):
        torch.zeros(4, device=CUDA) + torch.ones(4)


def test_a_network_that_was_made_outside_runs_on_the_device() -> None:
    device = FakeDevice()
    network = device.put(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
    with device.watched():
        assert_on_cuda(network(torch.zeros(2, 3, 8, 8, device=CUDA)))


def test_an_allowed_wait_is_allowed_as_often_as_it_is_named() -> None:
    device = FakeDevice()
    with device.watched("to cpu") as watch:
        values = torch.zeros(4, device=CUDA)
        values.cpu()
        with pytest.raises(Synchronisation):
            values.cpu()
    assert watch.waits == ["to cpu"]
