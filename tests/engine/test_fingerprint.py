"""The fingerprint of a network changes with its features, and with nothing else."""

import copy

import pytest
import torch
from vireid.engine.checkpoint import load_model, save_model
from vireid.engine.fingerprint import DECIDING, model_fingerprint
from vireid.models import M3ReID

FACTS = {"network": "M3ReID", "backbone": "thin-8", "num_identities": 5, "num_frames": 2}
FACTS |= {"img_h": 64, "img_w": 32, "test_resize": "bilinear", "test_frames": 2, "flip": True}
FACTS |= {"stage": "mmm", "step": 3}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return M3ReID(5, num_frames=2, backbone="thin-8").eval()


def test_every_weight_and_statistic_counts(model):
    name = model_fingerprint(model, FACTS)
    assert len(name) == 32
    for key, tensor in model.state_dict().items():
        other = copy.deepcopy(model)
        with torch.no_grad():
            other.state_dict()[key].view(-1)[-1:].add_(1)
        counts = "classifier" not in key and "num_batches_tracked" not in key
        assert (model_fingerprint(other, FACTS) != name) == counts, key
        assert tensor is not other.state_dict()[key]


def test_each_deciding_fact_counts_and_no_other(model):
    name = model_fingerprint(model, FACTS)
    for fact in (*DECIDING, "backbone"):
        assert model_fingerprint(model, FACTS | {fact: "another"}) != name
    assert model_fingerprint(model, FACTS | {"step": 9, "seed": 4, "stage": "x"}) == name


def test_a_file_and_a_lost_classifier_change_nothing(model, tmp_path):
    name = model_fingerprint(model, FACTS)
    save_model(tmp_path / "model.safetensors", model, FACTS)
    again, facts = load_model(tmp_path / "model.safetensors")
    assert model_fingerprint(again, facts) == name
    again.set_num_identities(0)
    assert model_fingerprint(again, facts) == name
