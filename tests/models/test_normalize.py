"""Normalisation against published values, and what it does at the edges."""

import pytest
import torch
from vireid.models.normalize import l2_normalize


def test_published_values(vectors):
    data = {name: torch.from_numpy(array) for name, array in vectors("block_normalize.npz").items()}
    for name in ("", "_3d"):
        found = l2_normalize(data["input" + name])
        torch.testing.assert_close(found, data["output" + name], atol=1e-6, rtol=0)
    found = l2_normalize(data["input_zero_row"])
    sound = torch.isfinite(data["output_zero_row"]).all(dim=1)
    expected = data["output_zero_row"].where(sound[:, None], torch.tensor(0.0))
    assert not sound.all()
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_zero_row_has_a_finite_gradient():
    x = torch.zeros(2, 3, requires_grad=True)
    l2_normalize(x).sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_does_not_overflow(dtype):
    x = torch.full((1, 4), 3e4, dtype=dtype)
    torch.testing.assert_close(l2_normalize(x), torch.full((1, 4), 0.5))


def test_gradient():
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(l2_normalize, x)
