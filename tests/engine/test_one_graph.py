"""Trunks and losses are one graph each for a compiler: nothing in them waits for a value."""

import pytest
import torch
from torch.nn import functional as F
from vireid.losses import (
    AdaptiveTripletLoss,
    BatchHardTripletLoss,
    ContrastiveLoss,
    MMDLoss,
    ModalityAlignmentLoss,
    SeparationLoss,
    WeightedTripletLoss,
)
from vireid.memory import ClusterMemory, MultiMemory
from vireid.mmm.self_mimic import squared_mimic
from vireid.models import AGW, M3ReID

# torch warns about itself while it traces.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
IDENTITIES = torch.arange(12) // 4
MODALITIES = torch.arange(12) % 2
LABELS = torch.tensor([0, 1, -1, 2]).repeat(3)


def rows(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def memory(kind, *shape):
    return kind(F.normalize(rows(*shape), dim=-1))


EMBEDDINGS = rows(12, 16)
LOSSES = {
    "alignment": (ModalityAlignmentLoss(), EMBEDDINGS, (IDENTITIES, MODALITIES)),
    "adaptive triplet": (AdaptiveTripletLoss(), EMBEDDINGS, (IDENTITIES,)),
    "squared adaptive triplet": (AdaptiveTripletLoss(square=True), EMBEDDINGS, (IDENTITIES,)),
    "batch-hard triplet": (BatchHardTripletLoss(0.3), EMBEDDINGS, (IDENTITIES,)),
    "weighted triplet": (WeightedTripletLoss(), EMBEDDINGS, (IDENTITIES,)),
    "contrast": (ContrastiveLoss(), EMBEDDINGS, (IDENTITIES, MODALITIES)),
    "discrepancy": (MMDLoss(), EMBEDDINGS, (rows(9, 16),)),
    "separation of frames": (SeparationLoss(), rows(4, 6, 16), ()),
    "cluster memory": (memory(ClusterMemory, 3, 16), EMBEDDINGS, (LABELS,)),
    "multi-memory": (memory(MultiMemory, 3, 2, 16), EMBEDDINGS, (LABELS,)),
    "squared mimic": (squared_mimic, EMBEDDINGS, (F.normalize(rows(16, 12).T, dim=1),)),
}


def graphs(call, *given):
    """How many graphs a compiler makes of a call, and why there is more than one."""
    torch._dynamo.reset()
    found = torch._dynamo.explain(call)(*given)
    return found.graph_count, [str(reason.reason) for reason in found.break_reasons]


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_one_graph(name):
    loss, embeddings, labels = LOSSES[name]
    assert graphs(loss, embeddings, *labels) == (1, [])


@pytest.mark.parametrize("name", LOSSES)
def test_a_compiled_loss_has_the_same_value_and_gradients(name):
    loss, embeddings, labels = LOSSES[name]
    torch._dynamo.reset()
    found = []
    for call in (loss, torch.compile(loss, backend="aot_eager")):
        own = embeddings.clone().requires_grad_()
        value = call(own, *labels)
        found.append((value, *torch.autograd.grad(value, own)))
    assert found[0][1].any()
    for first, second in zip(*found):
        torch.testing.assert_close(second, first, atol=1e-5, rtol=1e-3)


def test_the_parts_of_the_video_network_are_one_graph_each():
    model = M3ReID(3, backbone="thin-4").train()
    clips = rows(24, 3, 32, 16)
    assert graphs(model.stem, clips) == (1, [])
    frames = model.stem(clips)
    assert graphs(model.trunk, frames, 2) == (1, [])
    assert graphs(model.pool, model.trunk(frames, 2), 2) == (1, [])


def test_the_whole_video_network_is_one_graph():
    model = M3ReID(3, backbone="thin-4").train()
    clips = rows(12, 2, 3, 32, 16)
    assert graphs(model.forward_features, clips, MODALITIES) == (1, [])


def test_the_parts_of_the_image_network_are_one_graph_each():
    model = AGW(3, backbone="thin-4").train()
    images = rows(12, 3, 32, 16)
    for stem in (model.visible_stem, model.infrared_stem):
        assert graphs(stem, images) == (1, [])
    maps = model.visible_stem(images)
    assert graphs(model.trunk, maps) == (1, [])


def test_a_break_is_found():
    def waits(values):
        return values.sum() if bool(values.sum() > 0) else values.mean()

    count, reasons = graphs(waits, rows(3))
    assert count != 1 or reasons
