"""The averaged copy of a network, step by step against plain sums."""

import pytest
import torch
from torch import nn
from vireid.engine.weight_average import WeightAverage


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def states(model, steps):
    """What a network is after each of some random steps."""
    draw = torch.Generator().manual_seed(1)
    for _ in range(steps):
        with torch.no_grad():
            for value in model.state_dict().values():
                if value.is_floating_point():
                    value.add_(torch.randn(value.shape, generator=draw))
                else:
                    value.add_(1)
        yield {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("decay", [0.5, 0.8, 0.999])
def test_it_is_the_moving_average_of_weights_and_statistics(decay):
    model = network()
    average = WeightAverage(model, decay)
    wanted = {name: value.double() for name, value in model.state_dict().items()}
    for step, now in enumerate(states(model, 12), 1):
        average.update(model)
        kept = min(decay, 1 - 1 / (step + 1))
        wanted = {name: kept * wanted[name] + (1 - kept) * now[name] for name in now}
        for name, value in average.network.state_dict().items():
            if value.is_floating_point():
                torch.testing.assert_close(value.double(), wanted[name], rtol=1e-5, atol=1e-6)
            else:
                assert value == now[name] == step


def test_the_first_steps_make_a_plain_mean():
    model = network()
    average = WeightAverage(model, 0.999)
    seen = [model[0].weight.detach().clone()]
    for now in states(model, 5):
        average.update(model)
        seen.append(now["0.weight"])
    mean = torch.stack(seen).mean(0)
    torch.testing.assert_close(average.network[0].weight.detach(), mean, rtol=1e-5, atol=1e-6)


def test_the_copy_lives_apart_and_never_trains():
    model = network()
    average = WeightAverage(model, 0.9)
    before = average.network[0].weight.clone()
    next(states(model, 1))
    assert torch.equal(average.network[0].weight, before)
    assert not average.network.training
    assert not any(value.requires_grad for value in average.network.parameters())
    assert all(value.requires_grad for value in model.parameters())


def test_a_state_comes_back_and_one_of_another_network_does_not():
    model = network()
    average = WeightAverage(model, 0.9)
    for _ in states(model, 3):
        average.update(model)
    other = WeightAverage(network(), 0.9)
    other.load_state(average.state())
    assert other.updates == 3
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            average.network.state_dict().values(), other.network.state_dict().values(), strict=True
        )
    )
    for broken in (
        None,
        {"updates": -1, "network": average.network.state_dict()},
        {"updates": 1, "network": {}},
        {"updates": 1, "network": nn.Linear(2, 2).state_dict()},
    ):
        with pytest.raises(ValueError, match="network"):
            WeightAverage(network(), 0.9).load_state(broken)
