"""AGW (ResNet-50) against the published network, and the published checkpoint layout."""

import copy
import math

import pytest
import torch
from vireid.datasets.track import Modality
from vireid.models import load_official_agw, to_published_agw
from vireid.models.published_agw import published_name


@pytest.fixture(scope="module")
def state(vectors, fill_state):
    listing = vectors("agw_state_dict.json")["entries"]
    key = int(vectors("agw_full_eval.npz")["fill_key"])
    return fill_state({entry["key"]: entry["shape"] for entry in listing}, key, "bottleneck")


@pytest.fixture(scope="module")
def model(state):
    return load_official_agw({"net": state, "epoch": 80})


def test_every_weight_comes_from_the_published_state(state, model):
    used = {published_name(name): tensor for name, tensor in model.state_dict().items()}
    assert used.keys() <= state.keys()
    assert all(torch.equal(tensor, state[key]) for key, tensor in used.items())
    assert model.num_identities == 395
    assert not model.training


def test_state_has_the_published_names_shapes_and_types(vectors, model):
    found = {
        key: (list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for key, tensor in to_published_agw(model).items()
    }
    listing = vectors("agw_state_dict.json")["entries"]
    assert found == {entry["key"]: (entry["shape"], entry["dtype"]) for entry in listing}


def test_round_trip(state, model):
    back = to_published_agw(model)
    used = [published_name(name) for name in model.state_dict()]
    assert all(torch.equal(back[key], state[key]) for key in used)
    again = load_official_agw({"net": back})
    same = zip(again.state_dict().values(), model.state_dict().values(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in same)


@pytest.mark.parametrize("modality", list(Modality))
def test_embedding(vectors, fill_input, model, modality):
    data = vectors("agw_full_eval.npz")
    name = modality.name.lower()
    images = fill_input(data["shape"], int(data["input_key"]))
    assert torch.equal(images.flatten()[:8], torch.from_numpy(data["input_first"]))
    assert math.isclose(images.double().sum().item(), data["input_sum"], rel_tol=1e-9)
    with torch.no_grad():
        found = model(images, modality)
        precise = copy.deepcopy(model).double()
        exact = precise(images.double(), modality)
        pooled = precise.forward_features(images.double(), modality).pooled
    unit = pooled / pooled.norm(dim=1, keepdim=True)
    for tensor, key, atol in (
        (found, f"{name}_embedding", 2e-6),
        (exact, f"{name}_embedding_f64", 1e-9),
        (unit, f"{name}_pooled_f64", 1e-9),
    ):
        torch.testing.assert_close(tensor, torch.from_numpy(data[key]), atol=atol, rtol=0)


def test_only_what_is_used_is_needed(state, model):
    needed = {published_name(name) for name in model.state_dict()} - {"classifier.weight"}
    rest = {name: tensor for name, tensor in state.items() if name in needed}
    slim = load_official_agw(rest)
    assert slim.num_identities == 0
    assert torch.equal(slim.neck.running_mean, state["bottleneck.running_mean"])


def test_differences_from_the_layout_are_named(state):
    changed = dict(state)
    del changed["thermal_module.thermal.conv1.weight"]
    changed["base_resnet.base.fc.weight"] = torch.zeros(3)
    changed["NL_2.0.g.0.bias"] = torch.zeros(2)
    with pytest.raises(ValueError) as error:
        load_official_agw(changed)
    message = str(error.value)
    assert "1 missing: thermal_module.thermal.conv1.weight" in message
    assert "1 unexpected: base_resnet.base.fc.weight" in message
    assert "NL_2.0.g.0.bias is [2], not [1]" in message
