"""The maximum mean discrepancy against published values, a loop, and its invariants."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.losses import MMDLoss


def mmd_by_loops(source, target):
    """The definition, pair by pair."""
    everything = source + target
    n = len(everything)
    bandwidth = sum(math.dist(a, b) ** 2 for a in everything for b in everything) / (n * n - n)

    def mean_kernel(first, second):
        return sum(
            math.exp(-(math.dist(a, b) ** 2) / (bandwidth * 2.0**power))
            for a in first
            for b in second
            for power in (-2, -1, 0, 1, 2)
        ) / (len(first) * len(second))

    return (
        mean_kernel(source, source)
        + mean_kernel(target, target)
        - mean_kernel(source, target)
        - mean_kernel(target, source)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["class4", "n1", "wide"])
def test_published_values(vectors, run_loss, case, dtype):
    data = vectors(f"loss_mmd_{case}")
    value, gradients = run_loss(MMDLoss(), [data["source"], data["target"]], [], dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    assert math.isclose(value, data["loss"], rel_tol=tolerance, abs_tol=tolerance)
    for name, gradient in zip(("grad_source", "grad_target"), gradients):
        torch.testing.assert_close(gradient, torch.from_numpy(data[name]), atol=1e-6, rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 6), m=st.integers(1, 6), seed=st.integers(0, 10**6))
def test_equals_the_definition_for_sets_of_any_size(n, m, seed):
    rng = torch.Generator().manual_seed(seed)
    source = torch.randn(n, 3, generator=rng, dtype=torch.float64)
    target = torch.randn(m, 3, generator=rng, dtype=torch.float64) + 1
    value = MMDLoss()(source, target)
    assert math.isclose(value.item(), mmd_by_loops(source.tolist(), target.tolist()), abs_tol=1e-9)
    assert value > -1e-12
    torch.testing.assert_close(MMDLoss()(target, source), value)


def test_gradient_with_the_bandwidth_held_constant():
    # A constant bandwidth cannot be had by small steps, so numbers are compared with it fixed.
    source = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(4, 2, dtype=torch.float64)
    MMDLoss()(source, target).backward()
    rows = torch.cat([source.detach(), target])
    bandwidth = torch.cdist(rows, rows).square().sum() / 42

    def fixed(free):
        both = torch.cat([free, target])
        squared = (both[:, None] - both[None]).square().sum(-1)
        kernel = sum(torch.exp(-squared / (bandwidth * 2.0**power)) for power in range(-2, 3))
        return kernel[:3, :3].mean() + kernel[3:, 3:].mean() - 2 * kernel[:3, 3:].mean()

    free = source.detach().clone().requires_grad_()
    fixed(free).backward()
    torch.testing.assert_close(source.grad, free.grad)
    assert torch.autograd.gradcheck(fixed, free)


@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 3), m=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_equal_vectors_give_zero_with_zero_gradient(n, m, seed):
    vector = 10 * torch.randn(1, 33, generator=torch.Generator().manual_seed(seed))
    source = vector.repeat(n, 1).requires_grad_()
    value = MMDLoss()(source, vector.repeat(m, 1))
    value.backward()
    assert math.isclose(value.item(), 0, abs_tol=1e-5)
    assert torch.equal(source.grad, torch.zeros(n, 33))


@pytest.mark.parametrize("shapes", [((0, 3), (2, 3)), ((2, 3), (2, 4)), ((3,), (2, 3))])
def test_wrong_shapes_are_named(shapes):
    with pytest.raises(ValueError, match="N, M > 0; got"):
        MMDLoss()(*(torch.ones(shape) for shape in shapes))
