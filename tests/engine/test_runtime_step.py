"""The optimiser step, with and without a scaled loss."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from vireid.engine.runtime import Runtime
from vireid.engine.training import make_optimiser


def settings(optimiser):
    return SimpleNamespace(optimiser=optimiser, wd=0.1, backbone_rate=1.0)


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    return layers.to(memory_format=torch.channels_last)


def train(runtime, model, optimiser, images):
    for batch in images:
        optimiser.zero_grad(set_to_none=True)
        runtime.accelerator.backward(model(batch).square().mean())
        runtime.step(optimiser)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_scaled_loss_trains_like_an_unscaled_one(kind, monkeypatch):
    images = torch.randn(3, 5, 3, 4, 4)
    plain = network()
    scaled = copy.deepcopy(plain)
    runtime = Runtime("cpu", "fp32")
    train(runtime, plain, make_optimiser(plain, settings(kind), 0.01), images)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    monkeypatch.setattr(runtime.accelerator, "scaler", scaler)
    train(runtime, scaled, make_optimiser(scaled, settings(kind), 0.01), images)
    for one, other in zip(scaled.parameters(), plain.parameters()):
        torch.testing.assert_close(one, other)


def test_a_step_that_overflows_is_left_out(monkeypatch):
    model, runtime = network(), Runtime("cpu", "fp32")
    before = copy.deepcopy(model.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    monkeypatch.setattr(runtime.accelerator, "scaler", scaler)
    optimiser = make_optimiser(model, settings("adam"), 0.01)
    train(runtime, model, optimiser, [torch.full((2, 3, 4, 4), float("inf"))])
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert scaler.get_scale() == 2.0**9


@pytest.mark.parametrize(
    "kind, reference",
    [
        ("adam", lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1, foreach=False)),
        ("adamw", lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1, foreach=False)),
        ("sgd", lambda p: torch.optim.SGD(p, 0.01, 0.9, weight_decay=0.1, nesterov=True)),
    ],
)
def test_fused_optimisers_compute_what_the_plain_ones_do(kind, reference):
    ours = network()
    plain = copy.deepcopy(ours).to(memory_format=torch.contiguous_format)
    runtime, images = Runtime("cpu", "fp32"), torch.randn(4, 5, 3, 4, 4)
    train(runtime, ours, make_optimiser(ours, settings(kind), 0.01), images)
    train(runtime, plain, reference(plain.parameters()), images)
    for one, other in zip(ours.parameters(), plain.parameters()):
        torch.testing.assert_close(one, other)
