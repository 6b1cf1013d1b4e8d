"""The estimate of a step against what autograd really keeps, and that it leaves no trace."""

import dataclasses
import random
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from vireid.engine import step_memory
from vireid.engine.live_bytes import LiveBytes
from vireid.engine.planned_stages import stand_in_losses
from vireid.engine.runtime import Runtime
from vireid.engine.step_memory import (
    StepShape,
    embedding_memory,
    fake_copy,
    kept_bytes,
    training_step_memory,
)
from vireid.models.network import network_named

CASES = [
    ("m3reid", "thin-8", StepShape(4, 4, 2, 32, 16)),
    ("m3reid", "resnet18", StepShape(2, 3, 3, 64, 32)),
    ("agw", "thin-8", StepShape(8, 4, 1, 64, 32)),
    ("agw", "resnet50", StepShape(3, 3, 1, 64, 32)),
]


def network(name, backbone, identities=0):
    kind = network_named(name)
    model = kind.build(identities, num_frames=2, weights=None, backbone=backbone)
    return model.to(memory_format=torch.channels_last)


@pytest.fixture(params=[False, True], ids=["fp32", "bf16"])
def runtime(request):
    """A machine of either precision; a process has one ``Runtime`` only."""
    return SimpleNamespace(
        device=torch.device("cpu"),
        autocast=partial(torch.autocast, "cpu", torch.bfloat16, enabled=request.param),
    )


@pytest.fixture
def plain():
    return Runtime("cpu", "fp32")


@pytest.mark.parametrize(("name", "backbone", "shape"), CASES)
def test_what_is_kept_is_what_autograd_keeps(name, backbone, shape, runtime):
    model = network(name, backbone, identities=5)
    real, width = kept_bytes(model, shape, runtime)
    fake, live = fake_copy(model).train(), LiveBytes()
    with live:
        mode = next(fake.parameters()).fake_mode
        with mode:
            images = shape.clip_tensor()
        live.count(images)
        with runtime.autocast():
            output = fake.forward_features(images, shape.modalities())
        losses = stand_in_losses(output, None)
        del images, output
    assert live.now == pytest.approx(real, rel=0.05)
    del losses
    assert live.now < 0.1 * real
    found = training_step_memory(model, shape, runtime)
    assert found.scaled_from == 0
    assert found.width == width
    assert found.activations > real
    gradients = sum(p.nbytes for p in model.parameters() if p.requires_grad)
    assert found.gradients == gradients


@pytest.mark.parametrize("name", ["m3reid", "agw"])
def test_larger_steps_take_more(name, plain):
    model = network(name, "thin-8", identities=5)
    frames = 2 if name == "m3reid" else 1
    shape = StepShape(8, 8, frames, 32, 16)

    def taken(**changes):
        return training_step_memory(model, dataclasses.replace(shape, **changes), plain).activations

    least = taken()
    for change in ({"visible": 12}, {"height": 48}, {"width": 24}, {"prototypes": 1000}):
        assert taken(**change) > least
    if name == "m3reid":
        assert taken(frames=3) > least
    parts = [taken(accumulate=parts) for parts in (1, 2, 4)]
    assert parts[0] > parts[1] > parts[2]


def test_batch_norm_by_groups_is_counted(plain):
    model = network("m3reid", "thin-8")
    shape = StepShape(8, 8, 2, 32, 16, bn_batch=4)
    assert training_step_memory(model, shape, plain).scaled_from == 0


def test_it_grows_with_the_clips_of_an_extraction(plain):
    model = network("m3reid", "thin-8")
    small, large = (embedding_memory(model, clips, 2, 32, 16, plain) for clips in (4, 8))
    assert 0 < small < large < 2.5 * small


class Stubborn(torch.autograd.Function):
    """Looks at values, as a kernel written by hand does."""

    @staticmethod
    def forward(ctx, rows):
        ctx.save_for_backward(rows)
        return torch.from_numpy(rows.detach().numpy() * 2.0)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * 2.0


def stubborn():
    model = network("m3reid", "thin-8")
    model.stem.register_forward_hook(lambda module, given, result: Stubborn.apply(result))
    return model


def test_a_network_with_kernels_of_its_own_is_scaled_from_a_few_clips(plain):
    shape = StepShape(8, 8, 2, 32, 16)
    found = training_step_memory(stubborn(), shape, plain)
    exact = training_step_memory(network("m3reid", "thin-8"), shape, plain)
    assert found.scaled_from == 2 * step_memory.FEW
    assert found.activations == pytest.approx(exact.activations, rel=0.4)
    assert embedding_memory(stubborn(), 4, 2, 32, 16, plain) == 0


@pytest.mark.parametrize("make", [lambda: network("agw", "thin-8"), stubborn])
def test_nothing_is_changed(make, plain):
    model = make()
    model.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002
    training_step_memory(model, StepShape(4, 4, 1, 32, 16, accumulate=2), plain)
    embedding_memory(model, 4, 1, 32, 16, plain)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training
    assert model.splitter is None
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
