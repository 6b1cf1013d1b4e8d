"""M3-ReID (ResNet-50) against the published network, and the published checkpoint layout."""

import math

import pytest
import torch
from torch.nn import functional as F
from vireid.losses import ModalityAlignmentLoss, SeparationLoss
from vireid.models import M3ReID, load_official_m3reid, to_published_m3reid
from vireid.models.published_m3reid import published_name

# Our module for each stage of the summary.
STAGES = {
    "stem": "stem",
    "layer1": "trunk.layer1",
    "nl2_0": "trunk.non_local2.0",
    "layer2_last_block": "trunk.layer2.3",
    "nl2_1": "trunk.non_local2.1",
    "nl3_0": "trunk.non_local3.0",
    "nl3_1": "trunk.non_local3.1",
    "layer3_last_block": "trunk.layer3.5",
    "nl3_2": "trunk.non_local3.2",
    "layer4": "trunk.layer4",
    "mvl": "pool",
    "bn_neck": "neck",
}


@pytest.fixture(scope="module")
def listing(vectors):
    return vectors("m3reid_state_dict.json")


@pytest.fixture(scope="module")
def state(listing, fill_state):
    shapes = {entry["key"]: entry["shape"] for entry in listing["entries"]}
    return fill_state(shapes, listing["fill_key"], "bn_neck")


@pytest.fixture(scope="module")
def loaded(state):
    return load_official_m3reid({"state_dict": state, "epoch": 200})


@pytest.fixture
def model(loaded):
    """The one network, in eval mode and float32, its weights as loaded."""
    kept = {name: tensor.clone() for name, tensor in loaded.named_buffers()}
    yield loaded.eval()
    loaded.float().zero_grad(set_to_none=True)
    for name, tensor in loaded.named_buffers():
        tensor.copy_(kept[name])


def assert_summary(found, expected, first, **tolerance):
    found = found.detach()
    assert list(found.shape) == expected["shape"]
    head = expected[first]
    statistics = torch.tensor([found.mean(), found.std(), *found.flatten()[: len(head)]])
    wanted = torch.tensor([expected["mean"], expected["std"], *head])
    torch.testing.assert_close(statistics.double(), wanted.double(), **tolerance)


def test_deterministic_fill(listing, state):
    for entry in listing["entries"]:
        values = state[entry["key"]].double().flatten()
        head = torch.tensor(entry["first"], dtype=torch.float64)
        torch.testing.assert_close(values[: len(head)], head, atol=1e-7, rtol=0)
        assert math.isclose(values[-1].item(), entry["last"], abs_tol=1e-7)
        assert math.isclose(values.sum().item(), entry["sum"], rel_tol=1e-6, abs_tol=1e-4)


def test_state_has_the_published_names_shapes_and_types(listing, model):
    found = {
        key: (list(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for key, tensor in to_published_m3reid(model).items()
    }
    expected = {entry["key"]: (entry["shape"], entry["dtype"]) for entry in listing["entries"]}
    assert found == expected
    frozen = [published_name(n) for n, p in model.named_parameters() if not p.requires_grad]
    assert frozen == listing["no_gradient_parameters"]
    assert {published_name(n) for n, _ in model.named_buffers()} == set(listing["buffers"])


def test_round_trip(state, model):
    back = to_published_m3reid(model)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[key], tensor) for key, tensor in state.items())


@pytest.mark.parametrize("case", ["a", "b"])
def test_embedding(vectors, fill_input, model, case):
    data = vectors("m3reid_full_eval.npz")
    clip = fill_input(data[f"{case}_shape"], int(data[f"{case}_clip_key"]))
    head = torch.from_numpy(data[f"{case}_clip_first"])
    torch.testing.assert_close(clip.flatten()[:8], head, atol=0, rtol=0)
    assert math.isclose(clip.double().sum().item(), data[f"{case}_clip_sum"], rel_tol=1e-9)
    for dtype, name, atol in ((torch.float32, "", 1e-6), (torch.float64, "_f64", 1e-9)):
        with torch.no_grad():
            found = model.to(dtype)(clip.to(dtype))
        expected = torch.from_numpy(data[f"{case}_embedding{name}"])
        torch.testing.assert_close(found, expected, atol=atol, rtol=0)


@pytest.mark.parametrize("case", ["a", "b"])
def test_stages(vectors, fill_input, model, case):
    summary = vectors("m3reid_full_summary.json")[f"eval_{case}"]
    seen = {}
    hooks = [
        model.get_submodule(path).register_forward_hook(
            lambda _module, _args, output, stage=stage: seen.__setitem__(stage, output)
        )
        for stage, path in STAGES.items()
    ]
    with torch.no_grad():
        model(fill_input(summary["shape"], summary["clip_key"]))
    for hook in hooks:
        hook.remove()
    assert summary["stages"].keys() == STAGES.keys()
    for stage, expected in summary["stages"].items():
        found = seen[stage][0] if stage == "mvl" else seen[stage]
        if stage.startswith("nl"):
            found = found.unflatten(0, (-1, summary["shape"][1])).transpose(1, 2)
        assert_summary(found, expected, "first8", atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_training_pass(vectors, fill_input, model, precision):
    train = vectors("m3reid_full_summary.json")["train"]
    expected = train[precision]
    exact = precision == "float64"
    tolerance = {"atol": 1e-7, "rtol": 1e-6} if exact else {"atol": 2e-3, "rtol": 1e-3}
    model.to(torch.float64 if exact else torch.float32).train()
    clip = fill_input(train["shape"], train["clip_key"]).to(model.neck.weight.dtype)
    output = model(clip)

    assert_summary(output.frames, expected["x_embed"], "first16", **tolerance)
    assert_summary(output.embeddings, expected["x_embed_mean"], "first16", **tolerance)
    assert_summary(output.frame_logits, expected["x_logits"], "first16", **tolerance)
    assert_summary(output.logits, expected["x_logits_mean"], "first16", **tolerance)
    for name, mask in output.masks._asdict().items():
        assert_summary(mask, expected[f"mask_{name}"], "first16", **tolerance)

    identities, modalities = torch.tensor(train["ids"]), torch.tensor(train["mods"])
    of_frames = [labels.repeat_interleave(clip.shape[1]) for labels in (identities, modalities)]
    alignment, separation = ModalityAlignmentLoss(), SeparationLoss()
    losses = {
        "ofr": separation(output.frames),
        "dac": sum(separation(mask) for mask in output.masks),
        "mma": alignment(output.embeddings, identities, modalities),
        "id": F.cross_entropy(output.logits, identities),
        "mma_frames": alignment(output.frames.flatten(0, 1), *of_frames),
        "id_frames": F.cross_entropy(output.frame_logits.flatten(0, 1), of_frames[0]),
    }
    losses["total"] = sum(losses.values())
    losses["total"].backward()
    assert losses.keys() == expected["losses"].keys()
    for name, value in expected["losses"].items():
        assert math.isclose(
            losses[name].item(), value, rel_tol=tolerance["rtol"], abs_tol=tolerance["atol"]
        )

    gradients = {published_name(name): p.grad for name, p in model.named_parameters()}
    for name, norm in expected["grad_norms"].items():
        assert math.isclose(gradients[name].norm().item(), norm, rel_tol=1e-6 if exact else 0.03)
    assert gradients["bn_neck.bias"] is None

    after = to_published_m3reid(model)
    for name, values in expected["after"].items():
        found = after[name].double().flatten()[: len(values)]
        wanted = torch.tensor(values, dtype=torch.float64)
        torch.testing.assert_close(found, wanted, **tolerance)


@pytest.mark.parametrize("missing", ["classifier.weight", "classifier_frame.weight"])
def test_one_classifier_may_be_left_out(state, missing):
    rest = {name: tensor for name, tensor in state.items() if name != missing}
    assert load_official_m3reid(rest).num_identities == 500


def test_both_classifiers_may_be_left_out(state, tmp_path):
    rest = {name: tensor for name, tensor in state.items() if "classifier" not in name}
    torch.save({"model": rest}, tmp_path / "published.pth")
    model = load_official_m3reid(tmp_path / "published.pth", num_frames=4)
    assert (model.num_identities, model.num_frames, model.training) == (0, 4, False)
    assert to_published_m3reid(model).keys() == rest.keys()


def test_differences_from_the_layout_are_named(state):
    changed = dict(state)
    del changed["NL_2.1.phi.bias"]
    changed["head.weight"] = torch.zeros(3)
    changed["bn_neck.weight"] = torch.ones(2048)
    with pytest.raises(ValueError) as error:
        load_official_m3reid(changed)
    message = str(error.value)
    assert "1 missing: NL_2.1.phi.bias" in message
    assert "1 unexpected: head.weight" in message
    assert "bn_neck.weight is [2048], not [12288]" in message


def test_other_backbones_translate_too():
    model = M3ReID(7, backbone="thin-8")
    official = to_published_m3reid(model)
    assert len(official) == len(model.state_dict())
    assert official["NL_3.0.W.0.weight"].shape == (32, 8, 1, 1, 1)
