"""How the parameters of both AGW networks start, as the builders of training make them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from training_vectors import each_vector, facts
from vireid.engine.network import build_network
from vireid.engine.options import NetworkOptions
from vireid.engine.runtime import Runtime
from vireid.models.published_agw import published_name, to_published_agw

SEEDS = 3


def builds(num_identities: int):
    """Networks of several seeds, made as both stages make them: the classifier comes later."""
    options = NetworkOptions(network="agw", backbone="resnet50", weights="none")
    for seed in range(SEEDS):
        runtime = Runtime("cpu", "fp32", seed)
        data = SimpleNamespace(seed=seed, num_frames=1, img_h=288, img_w=144)
        session = SimpleNamespace(options=data, runtime=runtime)
        model = build_network(options, session)
        model.set_num_identities(num_identities)
        yield model


def like(entry, values: list[torch.Tensor]) -> None:
    """Compares the values of an entry with its constant or its distribution."""
    all_values = torch.stack(values).double()
    assert list(values[0].shape) == entry["shape"], entry["key"]
    if "constant" in entry:
        assert (all_values == entry["constant"]).all(), entry["key"]
        return
    size = values[0].numel()
    if size < 64:  # only the range is binding, and that is of 400 builds
        room = 0.02 * (entry["max"] - entry["min"])
        assert float(all_values.min()) >= entry["min"] - room, entry["key"]
        assert float(all_values.max()) <= entry["max"] + room, entry["key"]
        return
    mean, std = float(all_values.mean()), float(all_values.std(correction=0))
    assert abs(mean - entry["mean"]) <= 6 * entry["std"] / np.sqrt(size), entry["key"]
    spread = 0.03 * entry["std"] + 5 * entry["std_spread"]
    assert abs(std - entry["std"]) <= spread, entry["key"]


@each_vector("init_agw*.json")
@pytest.mark.parametrize("stage", ["stage_one", "stage_two"])
def test_every_parameter_outside_imagenet_starts_as_released(vector, stage):
    case = facts(vector)[stage]
    entries = {entry["key"]: entry for entry in case["entries"]}
    classes = entries["classifier.weight"]["shape"][0]
    states, trainable = [], {}
    for model in builds(classes):
        states.append({name: t.detach() for name, t in to_published_agw(model).items()})
        trainable = {published_name(n): p.requires_grad for n, p in model.named_parameters()}
    compared = set()
    for key, entry in entries.items():
        if entry["from_imagenet"] or not entry["used"]:
            continue
        like(entry, [state[key] for state in states])
        if key in trainable:
            assert trainable[key] == entry["trainable"], key
        compared.add(key)
    assert {"bottleneck.weight", "bottleneck.bias", "classifier.weight"} <= compared
    assert any(key.startswith("NL_") for key in compared)
