"""How M3-ReID starts: the distribution of every parameter, over several seeds."""

import math

import numpy as np
import pytest
import torch
from training_vectors import each_vector, facts
from vireid.models import to_published_m3reid
from vireid.models.network import network_named
from vireid.models.published_m3reid import published_name

SEEDS = (1, 2, 3)
LARGE = 1000  # values from which the extremes of a sample are close to those of its distribution


@pytest.fixture(scope="module")
def starts():
    """States, by published names, of networks that were built under several seeds."""
    built = {}

    def build(classes):
        if classes not in built:
            found = []
            for seed in SEEDS:
                torch.manual_seed(seed)
                model = network_named("m3reid").build(
                    classes, num_frames=6, weights=None, backbone="resnet50"
                )
                found.append(to_published_m3reid(model))
            built[classes] = model, found
        return built[classes]

    return build


@each_vector("init_m3reid*.json")
def test_every_parameter_starts_as_released(vector, starts):
    expected = facts(vector)
    model, states = starts(expected["class_num"])
    trainable = {published_name(n): p.requires_grad for n, p in model.named_parameters()}
    assert {entry["key"] for entry in expected["entries"]} == set(states[0])
    judged = 0
    for entry in expected["entries"]:
        key = entry["key"]
        assert list(states[0][key].shape) == entry["shape"], key
        if entry["trainable"] is not None:
            assert trainable[key] == entry["trainable"], key
        if entry["from_imagenet"]:
            continue
        judged += 1
        values = np.stack([state[key].double().numpy().ravel() for state in states])
        if "constant" in entry:
            assert (values == entry["constant"]).all(), key
        else:
            assert_distribution(values, entry)
    assert judged


def assert_distribution(values, entry):
    """``values`` [seeds, n] look drawn from what ``entry`` describes."""
    key, n = entry["key"], values.shape[1]
    std, spread = entry["std"], entry["std_spread"]
    assert values.std(1).mean() == pytest.approx(std, rel=0.03, abs=5 * spread), key
    assert values.mean() == pytest.approx(entry["mean"], rel=0, abs=6 * std / math.sqrt(n)), key
    low, high = entry["min"], entry["max"]
    slack = 0.05 * (high - low)
    assert values.min() >= low - slack, key
    assert values.max() <= high + slack, key
    if n >= LARGE:
        assert values.min() <= low + slack, key
        assert values.max() >= high - slack, key
    assert len({row.tobytes() for row in values}) == len(values), key  # a seed each
