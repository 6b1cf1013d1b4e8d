"""Frozen stages stay as they are; everything else is trained."""

import copy

import pytest
import torch
from torch.nn import functional as F
from vireid.models import AGW, BNNeckNetwork, M3ReID, build_backbone
from vireid.models.batch_norm import BatchGroups, group_batch_norm

STEMS = {M3ReID: ("stem.",), AGW: ("visible_stem.", "infrared_stem.")}


def step(model):
    """Trains once; the names in the state that changed by it."""
    before = copy.deepcopy(model.state_dict())
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=0.1, weight_decay=0.1)
    output = model(torch.randn(4, 1, 3, 64, 32), torch.tensor([0, 1, 0, 1]))
    F.cross_entropy(output.logits, torch.tensor([0, 0, 1, 1])).backward()
    optimiser.step()
    return {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}


@pytest.mark.parametrize("kind", [M3ReID, AGW])
@pytest.mark.parametrize("backbone", ["thin-4", "resnet18"])
def test_a_step_leaves_frozen_stages_alone_running_statistics_included(kind, backbone):
    model = kind(3, backbone=backbone)
    frozen = (*STEMS[kind], "trunk.layer1.")
    assert any(n.startswith(frozen) for n in step(copy.deepcopy(model)))
    model.freeze(["stem", "layer1"])
    moved = step(model)
    assert not [n for n in moved if n.startswith(frozen)]
    for part in ("trunk.layer2.", "trunk.layer4.", "neck.", "classifier."):
        assert any(n.startswith(part) for n in moved)
    assert any("running_mean" in n for n in moved)


def test_non_local_blocks_of_a_frozen_stage_are_trained():
    model = M3ReID(3, backbone="thin-4")
    model.freeze(["stem", "layer1", "layer2", "layer3", "layer4"])
    moved = step(model)
    assert any(n.startswith("trunk.non_local2.") for n in moved)
    assert not [n for n in moved if n.startswith(("stem.", "trunk.layer"))]


def test_nothing_is_kept_for_a_backward_pass_through_frozen_stages():
    model = M3ReID(3, backbone="thin-4")
    features = []
    model.trunk.layer1.register_forward_hook(lambda *given: features.append(given[-1]))
    model(torch.randn(2, 1, 3, 64, 32))
    model.freeze(["stem", "layer1"])
    model(torch.randn(2, 1, 3, 64, 32))
    assert [found.requires_grad for found in features] == [True, False]


def test_batch_norm_by_groups_stays_frozen():
    model = M3ReID(3, backbone="thin-4")
    model.freeze(["stem"])
    groups = BatchGroups()
    group_batch_norm(model, groups)
    with groups.batch(torch.tensor([0, 0, 1, 1]), 2):
        moved = step(model)
    assert not [n for n in moved if n.startswith("stem.")]
    assert "trunk.layer1.0.bn1.running_mean" in moved


def test_a_network_of_ones_own_freezes_its_backbone():
    class Own(BNNeckNetwork):
        def __init__(self):
            super().__init__()
            self.backbone = build_backbone("thin-4")

        build = compute = None

    model = Own()
    model.freeze(["layer1"])
    kept = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert kept == {n for n, _ in model.named_parameters() if n.startswith("backbone.layer1.")}
    model.train()
    assert model.backbone.layer2.training
    assert not model.backbone.layer1.training


@pytest.mark.parametrize("kind", [M3ReID, AGW])
def test_an_unknown_stage_is_named(kind):
    with pytest.raises(ValueError, match=r"no stage 'layer5'; it has stem, layer1, .*layer4"):
        kind(0, backbone="thin-4").freeze(["stem", "layer5"])
