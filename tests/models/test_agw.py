"""AGW with the thin backbone: two streams, invariants, messages."""

import pytest
import torch
from vireid.datasets.track import Modality
from vireid.models import AGW, BatchOutput


@pytest.fixture
def model():
    """A small network whose stems differ and whose non-local blocks do something."""
    net = AGW(5, backbone="thin-8")
    for name, parameter in net.named_parameters():
        if ".norm." in name or name.startswith("infrared_stem.conv"):
            torch.nn.init.normal_(parameter, std=0.3)
    return net


def images(batch=6):
    return torch.randn(batch, 3, 32, 16)


MIXED = torch.tensor([0, 1, 1, 0, 1, 0])


def test_training_output(model):
    output = model(images(), MIXED)
    assert isinstance(output, BatchOutput)
    assert output.pooled.shape == output.embeddings.shape == (6, 4 * 64)
    assert output.logits.shape == (6, 5)
    torch.testing.assert_close(model.neck(output.pooled), output.embeddings)


def test_gradient_reaches_every_parameter_but_the_neck_bias(model):
    output = model(images(), MIXED)
    (output.logits.logsumexp(1).sum() + output.pooled.square().sum()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == ["neck.bias"]
    # A bias before a norm or a softmax has no effect, so its gradient is rounding noise.
    assert all(p.grad.any() for n, p in model.named_parameters() if n.endswith("weight"))


def test_an_image_goes_through_the_stem_of_its_modality_only(model):
    model(images(), Modality.VISIBLE).pooled.sum().backward()
    assert all(p.grad is not None for p in model.visible_stem.parameters())
    assert all(p.grad is None for p in model.infrared_stem.parameters())


def test_stems_start_alike_and_are_two():
    model = AGW(0, backbone="thin-8")
    batch = images()
    stems = model.visible_stem, model.infrared_stem
    assert torch.equal(*(stem(batch) for stem in stems))
    assert stems[0].conv.weight is not stems[1].conv.weight


def test_mixed_batch_equals_the_parts(model):
    model.eval()
    batch = images()
    together = model(batch, MIXED)
    for code in Modality:
        rows = code == MIXED
        alone = model(batch[rows], code)
        torch.testing.assert_close(together[rows], alone, atol=1e-6, rtol=1e-4)
        same = model(batch, torch.full((6,), int(code)))
        torch.testing.assert_close(same, model(batch, code), atol=1e-6, rtol=1e-4)
    difference = model(batch, Modality.VISIBLE) - model(batch, Modality.INFRARED)
    assert difference.abs().max() > 1e-3


def test_eval_gives_unit_vectors_that_do_not_depend_on_the_batch(model):
    model.eval()
    batch = images()
    found = model(batch, MIXED)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(6))
    alone = torch.cat([model(image[None], code[None]) for image, code in zip(batch, MIXED)])
    torch.testing.assert_close(alone, found, atol=1e-6, rtol=1e-4)


def test_images_are_clips_of_one_frame(model):
    model.eval()
    batch = images()
    assert torch.equal(model.embed(batch.unsqueeze(1), MIXED), model(batch, MIXED))
    with pytest.raises(ValueError, match="which modality"):
        model(batch)


def test_channels_last_gives_the_same(model):
    model.eval()
    batch = images()
    expected = model(batch, MIXED)
    model.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(batch, MIXED), expected, atol=1e-6, rtol=1e-4)


def test_classifier_can_be_replaced(model):
    model.set_num_identities(3)
    assert model(images(), MIXED).logits.shape == (6, 3)
    model.set_num_identities(0)
    assert model.num_identities == 0
    assert model(images(), MIXED).logits is None


def test_autocast_embeds_in_float32(model):
    model.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(images(), MIXED)
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()


@pytest.mark.parametrize(
    "batch, modality, message",
    [
        (
            torch.zeros(2, 3, 3, 32, 16),
            Modality.VISIBLE,
            r"clips of one frame .* got \[2, 3, 3, 32, 16\]",
        ),
        (torch.zeros(2, 3, 32, 16).byte(), Modality.VISIBLE, "floating-point images; got torch"),
        (torch.zeros(1, 3, 32, 16), Modality.VISIBLE, "two images or more"),
        (torch.zeros(2, 3, 32, 16), torch.zeros(3), r"one for each, \[2\]; got \[3\]"),
        (torch.zeros(2, 3, 32, 16), torch.tensor([0, 2]), r"0 \(visible\).*got \[0, 2\]"),
        (torch.zeros(2, 3, 32, 16), 2, "2 is not a valid Modality"),
    ],
)
def test_wrong_input_is_named(model, batch, modality, message):
    with pytest.raises(ValueError, match=message):
        model(batch, modality)
