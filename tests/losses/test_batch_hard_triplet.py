"""The batch-hard triplet loss against published values, a loop, and its invariants."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import BatchHardTripletLoss


def batch_hard_by_loops(x, identities, margin):
    """The definition, anchor by anchor."""
    total = 0.0
    for a in range(len(x)):
        distances = [max((x[a] - row).norm().item(), 1e-6) for row in x]
        positive = max(d for d, i in zip(distances, identities) if i == identities[a])
        negatives = [d for d, i in zip(distances, identities) if i != identities[a]]
        total += max(positive - min(negatives) + margin, 0) if negatives else 0
    return total / len(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["main", "partly_active", "singleton"])
def test_published_values(vectors, run_loss, case, dtype):
    data = vectors(f"loss_ori_triplet_{case}")
    loss = BatchHardTripletLoss(float(data["margin"]))
    value, (gradient,) = run_loss(loss, [data["inputs"]], [data["targets"]], dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert math.isclose(value, data["loss"], rel_tol=tolerance, abs_tol=tolerance)
    torch.testing.assert_close(gradient, torch.from_numpy(data["grad"]), atol=1e-6, rtol=1e-4)
    inputs = torch.from_numpy(data["inputs"]).to(dtype)
    distances = loss.distances(inputs, torch.from_numpy(data["targets"]))
    assert (distances.negative >= distances.positive).sum() == data["correct"]


@settings(max_examples=25, deadline=None)
@given(
    batch=st.integers(1, 10),
    people=st.integers(1, 4),
    margin=st.floats(0, 2),
    seed=st.integers(0, 10**6),
)
def test_equals_the_definition(batch, people, margin, seed):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 4, generator=rng, dtype=torch.float64)
    identities = torch.randint(people, (batch,), generator=rng)
    value = BatchHardTripletLoss(margin)(x, identities).item()
    assert math.isclose(value, batch_hard_by_loops(x, identities, margin), abs_tol=1e-9)


def test_gradient():
    x = torch.randn(
        7, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64, requires_grad=True
    )
    identities = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    assert torch.autograd.gradcheck(lambda v: BatchHardTripletLoss(0.5)(v, identities), x)


def test_one_identity_gives_zero_with_zero_gradient():
    x = torch.randn(4, 3, requires_grad=True)
    value = BatchHardTripletLoss(0.3)(x, torch.zeros(4).long())
    value.backward()
    assert value.item() == 0
    assert torch.equal(x.grad, torch.zeros(4, 3))


def test_equal_rows_have_a_finite_gradient():
    x = torch.ones(4, 3, requires_grad=True)
    value = BatchHardTripletLoss(0.3)(x, torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert math.isclose(value.item(), 0.3, rel_tol=1e-4)
    assert torch.isfinite(x.grad).all()
