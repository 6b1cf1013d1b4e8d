"""Generalised-mean pooling against its plain form."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.models.gem import generalized_mean


def plain(features, masks, power):
    """Masks the map first, once for each mask, and pools each copy."""
    copies = features[:, None] * masks.unflatten(2, features.shape[2:])[:, :, None]
    mean = copies.pow(power).mean(dim=(3, 4))
    return mean if power == 1 else (mean + 1e-12).pow(1 / power)


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(1, 4)] * 5),
    power=st.sampled_from([1.0, 2.0, 3.0]),
    seed=st.integers(0, 10**6),
)
def test_equals_pooling_of_masked_copies(sizes, power, seed):
    n, k, c, h, w = sizes
    rng = torch.Generator().manual_seed(seed)
    features = torch.rand(n, c, h, w, generator=rng, dtype=torch.float64)
    masks = torch.rand(n, k, h * w, generator=rng, dtype=torch.float64)
    found = generalized_mean(features, masks, power)
    torch.testing.assert_close(found, plain(features, masks, power))
    ones = torch.ones(n, 1, h * w, dtype=torch.float64)
    whole = generalized_mean(features, power=power)
    torch.testing.assert_close(whole, plain(features, ones, power).squeeze(1))


def test_gradient():
    features = torch.rand(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    masks = torch.rand(2, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(generalized_mean, (features, masks))


def test_empty_channel_pools_to_the_floor_with_a_finite_gradient():
    features = torch.zeros(1, 2, 3, 3, requires_grad=True)
    pooled = generalized_mean(features)
    pooled.sum().backward()
    torch.testing.assert_close(pooled, torch.full((1, 2), 1e-4))
    assert torch.equal(features.grad, torch.zeros(1, 2, 3, 3))


def test_negative_features_stay_finite():
    features = torch.full((1, 1, 2, 2), -2.0, requires_grad=True)
    pooled = generalized_mean(features)
    pooled.sum().backward()
    assert torch.isfinite(pooled).all()
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_cubes_of_half_precision_do_not_overflow(dtype):
    features = torch.full((1, 1, 2, 2), 64.0, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = generalized_mean(features, torch.ones(1, 1, 4, dtype=dtype))
    torch.testing.assert_close(pooled, torch.full((1, 1, 1), 64.0))
