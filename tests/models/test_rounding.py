"""Weights rounded otherwise are the same weights, as nearly as numbers can be."""

import torch
from torch import nn
from vireid.models.rounding import round_otherwise
from vireid.random_streams import generator


def _network():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(40, 30), nn.BatchNorm1d(30))


def test_every_weight_moves_to_a_neighbour_and_zeros_stay():
    before, after = _network(), _network()
    round_otherwise(after, generator(1))
    for old, new in zip(before.parameters(), after.parameters()):
        zero = old == 0
        torch.testing.assert_close(new[zero], old[zero], rtol=0, atol=0)
        above = torch.nextafter(old, torch.tensor(torch.inf))
        below = torch.nextafter(old, torch.tensor(-torch.inf))
        assert bool((zero | (new == above) | (new == below)).all())
    old, new = before[0].weight, after[0].weight
    share = float((new > old).float().mean())
    assert 0.4 < share < 0.6  # of 1,200: six standard deviations around a half
    for old, new in zip(before.buffers(), after.buffers()):
        torch.testing.assert_close(new, old, rtol=0, atol=0)


def test_the_stream_decides():
    one, same, other = _network(), _network(), _network()
    for network, key in ((one, 1), (same, 1), (other, 2)):
        round_otherwise(network, generator(key))
    assert torch.equal(one[0].weight, same[0].weight)
    assert not torch.equal(one[0].weight, other[0].weight)
