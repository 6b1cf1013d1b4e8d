"""The adaptive triplet loss against published values and its relation to the weighted one."""

import math

import pytest
import torch
from vireid.losses import AdaptiveTripletLoss, WeightedTripletLoss

CASES = ("alpha_gamma", "clamped", "mixed_sign", "square0", "square1")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_published_values(vectors, run_loss, case, dtype):
    data = vectors(f"loss_triplet_adp_{case}")
    loss = AdaptiveTripletLoss(
        float(data["alpha"]),
        float(data["gamma"]),
        bool(data["square"]),
        normalize_feature=bool(data["normalize_feature"]),
    )
    value, (gradient,) = run_loss(loss, [data["inputs"]], [data["targets"]], dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert math.isclose(value, data["loss"], rel_tol=tolerance, abs_tol=2 * tolerance)
    torch.testing.assert_close(gradient, torch.from_numpy(data["grad"]), atol=2e-6, rtol=1e-4)
    inputs = torch.from_numpy(data["inputs"]).to(dtype)
    distances = loss.distances(inputs, torch.from_numpy(data["targets"]))
    assert (distances.negative >= distances.positive).sum() == data["correct"]
    for name, found in zip(("furthest_positive", "closest_negative"), distances):
        expected = torch.from_numpy(data[name])
        torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=1e-5)


def test_without_square_and_with_neutral_factors_it_is_the_weighted_loss():
    x, identities = torch.randn(9, 5, dtype=torch.float64), torch.arange(9) % 3
    torch.testing.assert_close(
        AdaptiveTripletLoss()(x, identities), WeightedTripletLoss()(x, identities)
    )


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("square", [False, True])
def test_formula(gamma, square):
    x, identities = torch.randn(8, 4, dtype=torch.float64), torch.arange(8) % 2
    loss = AdaptiveTripletLoss(1.5, gamma, square)
    expected = 0.0
    for positive, negative in zip(*(d.tolist() for d in loss.distances(x, identities))):
        difference = positive - negative
        if square:
            difference = math.copysign(min(gamma * difference**2, 88), difference)
        else:
            difference *= gamma
        expected += math.log1p(math.exp(difference)) / len(x)
    assert math.isclose(loss(x, identities).item(), expected, rel_tol=1e-10)


@pytest.mark.parametrize("square", [False, True])
def test_gradient(square):
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    identities = torch.tensor([0, 0, 1, 1, 1, 2])
    loss = AdaptiveTripletLoss(2.0, 0.7, square, normalize_feature=True)
    assert torch.autograd.gradcheck(lambda v: loss(v, identities), x)


def test_beyond_the_cap_the_gradient_vanishes():
    x = torch.tensor([[0.0], [40.0], [0.1], [40.1]], requires_grad=True)
    value = AdaptiveTripletLoss(square=True)(x, torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert math.isclose(value.item(), 88, rel_tol=1e-6)
    assert torch.equal(x.grad, torch.zeros(4, 1))
