"""Stripe windows: what they keep, where they overlap."""

import pytest
import torch
from vireid.models.backbones import StripeWindows


@pytest.mark.parametrize("stripes, height", [(4, 8), (4, 9), (2, 6), (1, 5)])
def test_each_stripe_sees_its_rows_and_less_of_its_neighbours(stripes, height):
    features = torch.ones(1, 1, height, 2)
    windows = StripeWindows(stripes)(features)[0, :, :, 0]
    assert windows.shape == (stripes, height)
    for stripe, window in enumerate(windows):
        rows = (torch.arange(height) + 0.5) * stripes / height
        inside = (rows >= stripe) & (rows <= stripe + 1)
        # Half a stripe around the centre in full, one stripe further nothing.
        centre = (rows - stripe - 0.5).abs()
        assert torch.equal(window[centre <= 0.5], torch.ones(int((centre <= 0.5).sum())))
        assert (window[centre >= 1.5] == 0).all()
        assert (window[inside] > 0.9).all()


def test_channels_of_a_stripe_stay_together():
    features = torch.rand(2, 3, 8, 4)
    out = StripeWindows(4)(features)
    assert out.shape == (2, 12, 8, 4)
    assert torch.equal(out[:, 0:3, :2], features[:, :, :2])
    assert torch.equal(out[:, 9:12, 6:], features[:, :, 6:])
    assert (out[:, 0:3, 4:] == 0).all()


def test_gradient_reaches_every_row():
    features = torch.rand(1, 2, 8, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(StripeWindows(4), features)
    StripeWindows(4)(features).sum().backward()
    assert (features.grad >= 1).all()
