"""The optimiser step, with and without a scaled loss."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from vireid.engine.runtime import Runtime, resolved_precision
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
        runtime.backward(model(batch).square().mean())
        runtime.step(optimiser)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_a_scaled_loss_trains_like_an_unscaled_one(kind):
    images = torch.randn(3, 5, 3, 4, 4)
    plain = network()
    scaled = copy.deepcopy(plain)
    runtime = Runtime("cpu", "fp32")
    train(runtime, plain, make_optimiser(plain, settings(kind), 0.01), images)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    runtime.scaler = scaler
    train(runtime, scaled, make_optimiser(scaled, settings(kind), 0.01), images)
    for one, other in zip(scaled.parameters(), plain.parameters()):
        torch.testing.assert_close(one, other)


def test_a_step_that_overflows_is_left_out():
    model, runtime = network(), Runtime("cpu", "fp32")
    before = copy.deepcopy(model.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    runtime.scaler = scaler
    optimiser = make_optimiser(model, settings("adam"), 0.01)
    train(runtime, model, optimiser, [torch.full((2, 3, 4, 4), float("inf"))])
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert scaler.get_scale() == 2.0**9


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_gradients_of_several_backward_passes_are_scaled_back_once(kind):
    images = torch.randn(4, 5, 3, 4, 4)
    plain = network()
    scaled = copy.deepcopy(plain)
    for model, scaler in ((plain, None), (scaled, torch.amp.GradScaler("cpu", init_scale=8.0))):
        runtime = Runtime("cpu", "fp32")
        runtime.scaler = scaler
        optimiser = make_optimiser(model, settings(kind), 0.01)
        for pair in images.split(2):
            optimiser.zero_grad(set_to_none=True)
            for batch in pair:
                runtime.backward(model(batch).square().mean())
            runtime.step(optimiser)
    for one, other in zip(scaled.parameters(), plain.parameters()):
        torch.testing.assert_close(one, other)


def test_a_resumed_run_goes_on_with_the_scale_of_its_checkpoint():
    model, runtime, later = network(), Runtime("cpu", "fp32"), Runtime("cpu", "fp32")
    for one in (runtime, later):
        one.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=3)
    images = torch.randn(2, 5, 3, 4, 4)
    train(runtime, model, make_optimiser(model, settings("sgd"), 0.01), images)
    overflow = [torch.full((2, 3, 4, 4), float("inf"))]
    other = network()
    train(runtime, other, make_optimiser(other, settings("adam"), 0.01), overflow)
    later.load_scaler(runtime.scaler_state())
    assert later.scaler.get_scale() == 2.0**9
    assert later.scaler_state() == runtime.scaler_state()
    plain = Runtime("cpu", "fp32")
    plain.load_scaler(runtime.scaler_state())  # a run in another precision has no use for it
    assert plain.scaler_state() == {}


@pytest.mark.parametrize(
    "precision, test_precision, kinds",
    [
        ("fp32", "fp32", (torch.float32, torch.float32)),
        ("bf16", "fp32", (torch.bfloat16, torch.float32)),
        ("fp32", "bf16", (torch.float32, torch.bfloat16)),
    ],
)
def test_training_and_tests_have_a_precision_each(precision, test_precision, kinds):
    runtime = Runtime("cpu", precision, test_precision=test_precision)
    layer, row = nn.Linear(3, 2), torch.ones(1, 3)
    for context, kind in zip((runtime.autocast, runtime.test_autocast), kinds):
        with context():
            assert layer(row).dtype == kind
    said = runtime.device_summary()
    assert precision in said and test_precision in said


def test_tests_are_in_float32_unless_something_else_is_asked_for():
    assert Runtime("cpu", "bf16").test_precision == "fp32"


def test_fp16_on_a_cpu_is_something_else_and_says_so_once():
    runtime = Runtime("cpu", "fp16", test_precision="fp16")
    assert runtime.precision in ("bf16", "fp32") and runtime.scaler is None
    assert len(runtime.notes) == 1


@pytest.mark.parametrize("native", [True, False])
def test_emulated_bf16_is_not_chosen(native, monkeypatch):
    def supported(including_emulation=True):
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    runtime = Runtime("cpu", "fp32")
    assert runtime._resolved("auto", on_cpu=False) == ("bf16" if native else "fp32")


@pytest.mark.parametrize(
    "card, major, chosen", [("V100", 7, "fp32"), ("T4", 7, "fp32"), ("A100", 8, "bf16")]
)
def test_a_card_without_units_for_bf16_computes_in_float32(card, major, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    facts = SimpleNamespace(name=card, major=major)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: facts)
    monkeypatch.setattr(torch.version, "hip", None)
    # Both emulate bf16 and say so when asked without care.
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert torch.cuda.is_bf16_supported()
    assert resolved_precision("auto", on_cpu=False) == chosen
    assert resolved_precision("fp16", on_cpu=False) == "fp16"


@pytest.mark.parametrize(
    "here, cards, shared", [(1, 0, False), (1, 1, False), (2, 1, True), (2, 2, False), (4, 2, True)]
)
def test_processes_that_share_a_card_exchange_by_gloo(here, cards, shared, monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    handlers = []

    class Noted:
        device = torch.device("cpu")

        def __init__(self, *, kwargs_handlers, **others):
            handlers.extend(kwargs_handlers)

    monkeypatch.setattr("vireid.engine.runtime.Accelerator", Noted)
    Runtime("cpu", "fp32")
    assert [handler.backend for handler in handlers] == ["gloo" if shared else "nccl"]


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


@pytest.mark.parametrize("there", [False, True])
def test_kernels_are_measured_on_cuda_where_batches_have_one_shape(there, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **given: True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    monkeypatch.setattr(torch, "manual_seed", lambda seed: None)  # it would ask the device
    device = SimpleNamespace(device=torch.device("cuda", 0))
    monkeypatch.setattr("vireid.engine.runtime.Accelerator", lambda **given: device)
    runtime = Runtime("auto", "fp32")
    assert runtime.device.type == ("cuda" if there else "cpu")
    assert torch.backends.cudnn.benchmark is there
