"""What holds for every loss: half precision, autocast, zero rows, and named errors."""

import pytest
import torch
from vireid.losses import (
    AdaptiveTripletLoss,
    BatchHardTripletLoss,
    MMDLoss,
    ModalityAlignmentLoss,
    SeparationLoss,
    WeightedTripletLoss,
)

IDENTITIES = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1])
MODALITIES = torch.arange(8) % 2
LOSSES = {
    "modality alignment": lambda x: ModalityAlignmentLoss()(x, IDENTITIES, MODALITIES),
    "separation": lambda x: SeparationLoss()(x.unflatten(0, (2, 4))),
    "batch hard": lambda x: BatchHardTripletLoss(0.3)(x, IDENTITIES),
    "weighted": lambda x: WeightedTripletLoss()(x, IDENTITIES),
    "adaptive": lambda x: AdaptiveTripletLoss(1.0, 1.0, True)(x, IDENTITIES),
    "mmd": lambda x: MMDLoss()(x[:3], x[3:]),
}


@pytest.fixture(params=sorted(LOSSES))
def loss(request):
    return LOSSES[request.param]


def batch(scale=1.0):
    return scale * torch.randn(8, 16, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_half_precision_is_computed_in_float32(loss, dtype, scale):
    # At a scale of 300 the squares leave the range of float16.
    x = batch(scale).to(dtype).requires_grad_()
    value = loss(x)
    value.backward()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(x.detach().float()))
    assert torch.isfinite(value)
    assert torch.isfinite(x.grad).all()


def test_autocast_changes_nothing(loss):
    plain, cast = batch().requires_grad_(), batch().requires_grad_()
    expected = loss(plain)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(cast)
    value.backward()
    expected.backward()
    assert torch.equal(value, expected)
    assert torch.equal(cast.grad, plain.grad)


def test_float64_stays_float64(loss):
    assert loss(batch().double()).dtype == torch.float64


def test_zero_rows_stay_finite(loss):
    x = batch()
    x[2:4] = 0
    x.requires_grad_()
    value = loss(x)
    value.backward()
    assert torch.isfinite(value)
    assert x.grad.abs().max() < 1e6


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: BatchHardTripletLoss(0.3)(torch.ones(2, 3, 4), torch.zeros(2)), "flatten"),
        (lambda: WeightedTripletLoss()(torch.ones(4, 2), torch.zeros(3)), r"identities \[B\]"),
        (lambda: AdaptiveTripletLoss()(torch.ones(0, 2), torch.zeros(0)), "B > 0"),
        (
            lambda: ModalityAlignmentLoss()(torch.ones(2, 3), torch.zeros(2), torch.zeros(5)),
            r"modalities \[B\].*got \[5\]",
        ),
    ],
)
def test_wrong_shapes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
