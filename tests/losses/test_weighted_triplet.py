"""The weighted triplet loss against published values, a loop, and its invariants."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import WeightedTripletLoss
from vireid.losses.weighted_triplet import weighted_distances

# Value, gradient (absolute, relative).
TOLERANCES = {
    "main": (2e-5, 2e-6, 1e-4),
    "normalized": (2e-5, 2e-6, 1e-4),
    "large_distance": (2e-4, 1e-5, 1e-3),
}


def weighted_by_loops(x, identities, sharpness):
    """Both weighted distances, anchor by anchor."""
    result = []
    for a in range(len(x)):
        distances = [max(math.dist(x[a], row), 1e-6) for row in x]
        sides = []
        for sign, wanted in ((1, True), (-1, False)):
            chosen = [d for d, i in zip(distances, identities) if (i == identities[a]) == wanted]
            shift = max([sign * sharpness * d for d in chosen], default=0) if wanted else 0
            weights = [math.exp(sign * sharpness * d - shift) for d in chosen]
            sides.append(sum(map(math.prod, zip(weights, chosen))) / (sum(weights) + 1e-6))
        result.append(sides)
    return torch.tensor(result, dtype=torch.float64).t()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", sorted(TOLERANCES))
def test_published_values(vectors, run_loss, case, dtype):
    data = vectors(f"loss_triplet_wrt_{case}")
    loss = WeightedTripletLoss(normalize_feature=bool(data["normalize_feature"]))
    value, (gradient,) = run_loss(loss, [data["inputs"]], [data["targets"]], dtype)
    tolerance, atol, rtol = TOLERANCES[case]
    tolerance = tolerance if dtype == torch.float32 else 1e-11
    assert math.isclose(value, data["loss"], abs_tol=tolerance)
    torch.testing.assert_close(gradient, torch.from_numpy(data["grad"]), atol=atol, rtol=rtol)
    inputs = torch.from_numpy(data["inputs"]).to(dtype)
    distances = loss.distances(inputs, torch.from_numpy(data["targets"]))
    assert (distances.negative >= distances.positive).sum() == data["correct"]
    for name, found in zip(("furthest_positive", "closest_negative"), distances):
        expected = torch.from_numpy(data[name])
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 9),
    people=st.integers(1, 4),
    sharpness=st.floats(0.1, 3),
    seed=st.integers(0, 10**6),
)
def test_weighted_distances_equal_the_definition(batch, people, sharpness, seed):
    rng = torch.Generator().manual_seed(seed)
    x = 2 * torch.randn(batch, 4, generator=rng, dtype=torch.float64)
    identities = torch.randint(people, (batch,), generator=rng)
    found = torch.stack(weighted_distances(x, identities, sharpness))
    expected = weighted_by_loops(x.tolist(), identities.tolist(), sharpness)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("normalize_feature", [False, True])
def test_gradient(normalize_feature):
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    identities = torch.tensor([0, 0, 1, 1, 1, 2])
    loss = WeightedTripletLoss(normalize_feature=normalize_feature)
    assert torch.autograd.gradcheck(lambda v: loss(v, identities), x)


def test_one_identity_only_pulls_together():
    x = torch.randn(4, 3, requires_grad=True)
    loss = WeightedTripletLoss()
    value = loss(x, torch.zeros(4).long())
    value.backward()
    distances = loss.distances(x, torch.zeros(4).long())
    assert torch.equal(distances.negative, torch.zeros(4))
    torch.testing.assert_close(value, torch.nn.functional.softplus(distances.positive).mean())
    assert torch.isfinite(x.grad).all()


def test_scale_does_not_matter_with_normalised_features():
    x = torch.randn(6, 4, dtype=torch.float64)
    identities = torch.tensor([0, 0, 1, 1, 2, 2])
    loss = WeightedTripletLoss(normalize_feature=True)
    torch.testing.assert_close(loss(7 * x, identities), loss(x, identities))
