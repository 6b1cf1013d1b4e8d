"""M3-ReID with the thin backbone: outputs, invariants, classifiers, precision, messages."""

import pytest
import torch
from vireid.models import BatchOutput, M3ReID


@pytest.fixture
def model():
    """A small network whose non-local blocks do something."""
    net = M3ReID(5, backbone="thin-8")
    for name, parameter in net.named_parameters():
        if ".norm." in name:
            torch.nn.init.normal_(parameter, std=0.3)
    return net


def clips(batch=3, frames=4):
    return torch.randn(batch, frames, 3, 32, 16)


def test_training_output(model):
    output = model(clips())
    assert isinstance(output, BatchOutput)
    assert output.pooled is output.embeddings
    assert output.frames.shape == (3, 4, 6 * 4 * 64)
    assert output.frame_logits.shape == (3, 4, 5)
    assert output.logits.shape == (3, 5)
    torch.testing.assert_close(output.embeddings, output.frames.mean(dim=1))
    # The map of 32 × 16 pixels is 4 × 2.
    assert [tuple(mask.shape) for mask in output.masks] == [(12, 2, 8), (12, 2, 8), (6, 2, 16)]
    assert all(mask.min() > 0 and mask.max() < 1 for mask in output.masks)


def test_gradient_reaches_every_parameter_but_the_neck_bias(model):
    output = model(clips())
    loss = output.logits.logsumexp(1).sum() + output.frame_logits.logsumexp(2).sum()
    loss = (
        loss + sum(mask.square().sum() for mask in output.masks) + output.embeddings.square().sum()
    )
    loss.backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == ["neck.bias"]
    # A bias before a norm or a softmax has no effect, so its gradient is rounding noise.
    assert all(p.grad.any() for n, p in model.named_parameters() if n.endswith("weight"))
    assert not model.neck.bias.any()


def test_eval_gives_unit_vectors_for_any_number_of_frames(model):
    model.eval()
    with torch.no_grad():
        for batch, frames in ((1, 1), (1, 4), (2, 9)):
            embeddings = model(clips(batch, frames))
            assert embeddings.shape == (batch, 6 * 4 * 64)
            torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(batch))


def test_eval_is_the_clip_embedding_at_unit_length(model):
    model.eval()
    batch = clips()
    output = model.forward_features(batch)
    expected = output.embeddings / output.embeddings.norm(dim=1, keepdim=True)
    torch.testing.assert_close(model(batch), expected)
    assert output.logits.shape == (3, 5)


def test_a_user_embeds_in_three_lines():
    model = M3ReID(0, backbone="thin-8")
    with pytest.raises(ValueError, match=r"call eval\(\) on it before embed"):
        model.embed(clips())
    model.eval()
    batch, modalities = clips(), torch.tensor([0, 1, 0])
    features = model.embed(batch, modalities)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    assert torch.equal(features, model(batch, modalities))


def test_order_of_frames_does_not_matter(model):
    model.eval()
    batch = clips()
    found = model(batch[:, torch.tensor([2, 0, 3, 1])])
    torch.testing.assert_close(found, model(batch), atol=1e-6, rtol=1e-4)


def test_eval_does_not_depend_on_the_rest_of_the_batch(model):
    model.eval()
    batch = clips()
    together = model(batch)
    alone = torch.cat([model(clip[None]) for clip in batch])
    torch.testing.assert_close(alone, together, atol=1e-6, rtol=1e-4)


def test_frames_of_a_clip_see_each_other(model):
    model.eval()
    batch = clips(1)
    changed = batch.clone()
    changed[0, 3] += 1
    first = model.forward_features(batch).frames[0, 0]
    assert not torch.allclose(model.forward_features(changed).frames[0, 0], first, atol=1e-4)


def test_new_non_local_blocks_change_nothing():
    model = M3ReID(0, backbone="thin-8").eval()
    frames = torch.randn(4, 8, 16, 8)
    plain = model.trunk.layer4(model.trunk.layer3(model.trunk.layer2(model.trunk.layer1(frames))))
    assert torch.equal(model.trunk(frames, 2), plain)


@pytest.mark.parametrize("backbone, thin", [("thin-8", True), ("resnet18", False)])
def test_only_thin_networks_look_at_a_quarter_of_the_positions(backbone, thin):
    model = M3ReID(0, backbone=backbone)
    blocks = [*model.trunk.non_local2, *model.trunk.non_local3]
    assert blocks and all(block.subsample == thin for block in blocks)
    assert model.revision == 1 + thin


@pytest.mark.parametrize("backbone, second, third", [("thin-8", 1, 1), ("resnet18", 2, 2)])
def test_number_of_non_local_blocks(backbone, second, third):
    trunk = M3ReID(0, backbone=backbone).trunk
    assert (len(trunk.non_local2), len(trunk.non_local3)) == (second, third)


def test_channels_last_gives_the_same(model):
    model.eval()
    batch = clips()
    expected = model(batch)
    model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(batch), expected, atol=1e-6, rtol=1e-4)
    features = model.trunk(model.stem(batch.flatten(0, 1)), 4)
    assert features.is_contiguous(memory_format=torch.channels_last)


def test_autocast_trains_and_embeds_in_float32(model):
    batch = clips()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(batch)
        loss = output.frame_logits.float().logsumexp(2).sum() + output.embeddings.square().sum()
    loss.backward()
    assert output.embeddings.dtype == torch.float32
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
    model.eval()
    with torch.no_grad():
        expected = model(batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(batch)
    assert found.dtype == torch.float32
    assert (found * expected).sum(dim=1).min() > 0.99


def test_classifiers_can_be_replaced(model):
    assert model.num_identities == 5
    model.set_num_identities(3)
    assert model.num_identities == 3
    assert model(clips()).frame_logits.shape == (3, 4, 3)
    model.set_num_identities(0)
    assert model.num_identities == 0
    output = model(clips())
    assert output.frame_logits is None
    assert output.logits is None
    assert not any("classifier" in name for name in model.state_dict())


def test_initialisation():
    model = M3ReID(400, backbone="thin-8")
    for classifier in (model.classifier, model.frame_classifier):
        assert classifier.bias is None
        bound = classifier.in_features**-0.5  # uniform, the default of a linear layer
        assert 0.99 * bound < classifier.weight.abs().max() <= bound
        assert abs(classifier.weight.std() / (bound / 3**0.5) - 1) < 0.02
    assert not torch.equal(model.classifier.weight, model.frame_classifier.weight)
    assert torch.equal(model.neck.weight, torch.ones(6 * 4 * 64))
    assert not model.neck.bias.requires_grad


def test_float64_stays_float64(model):
    assert model.double().eval()(clips().double()).dtype == torch.float64


@pytest.mark.parametrize(
    "batch, message",
    [
        (torch.zeros(2, 3, 32, 16), r"\[B, T, 3, H, W\]; got \[2, 3, 32, 16\]"),
        (torch.zeros(2, 4, 1, 32, 16), r"got \[2, 4, 1, 32, 16\]"),
        (torch.zeros(2, 0, 3, 32, 16), r"got \[2, 0, 3, 32, 16\]"),
        (torch.zeros(2, 4, 3, 32, 16, dtype=torch.uint8), "floating-point frames; got torch.uint8"),
        (torch.zeros(1, 1, 3, 32, 16), "two frames or more"),
    ],
)
def test_wrong_input_is_named(model, batch, message):
    with pytest.raises(ValueError, match=message):
        model(batch)


def test_negative_number_of_identities_is_named():
    with pytest.raises(ValueError, match=r"`num_identities` is 0 .* got -1"):
        M3ReID(-1, backbone="thin-8")
