"""The separation loss against published values, a loop, and its invariants."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import SeparationLoss


def separation_by_loops(x):
    """The definition, pair by pair."""
    squares = []
    for group in x:
        for i, first in enumerate(group):
            for j, second in enumerate(group):
                if i != j:
                    cosine = (first * second).sum() / (first.norm() * second.norm())
                    squares.append(cosine**2)
    return sum(squares) / len(squares)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["frames", "heads", "k1", "k3"])
def test_published_values(vectors, run_loss, case, dtype):
    data = vectors(f"loss_sep_{case}")
    value, (gradient,) = run_loss(SeparationLoss(), [data["x"]], [], dtype)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    assert math.isclose(value, data["loss"], rel_tol=tolerance, abs_tol=tolerance)
    torch.testing.assert_close(gradient, torch.from_numpy(data["grad"]), atol=1e-7, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(2, 5), st.integers(1, 6)),
    seed=st.integers(0, 10**6),
)
def test_equals_the_definition(shape, seed):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=rng, dtype=torch.float64)
    value = SeparationLoss()(x)
    torch.testing.assert_close(value, separation_by_loops(x))
    assert 0 <= value <= 1 + 1e-12


def test_gradient():
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(SeparationLoss(), x)


def test_orthogonal_is_zero_and_parallel_is_one():
    assert SeparationLoss()(torch.eye(4).expand(3, 4, 4)).item() == 0
    parallel = torch.arange(1.0, 4.0)[:, None] * torch.tensor([0.6, -0.8])
    torch.testing.assert_close(SeparationLoss()(parallel[None]), torch.tensor(1.0))


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\[B, K, D\].*got \[4, 5\]"):
        SeparationLoss()(torch.ones(4, 5))
