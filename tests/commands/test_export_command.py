"""`vireid export`: round trips between our files and the published layouts."""

import pytest
import torch
from vireid.cli import main
from vireid.datasets.track import Modality
from vireid.engine.checkpoint import load_model, save_model
from vireid.engine.published_checkpoint import write_published
from vireid.errors import UserError
from vireid.models import AGW, M3ReID, load_official_agw, load_official_m3reid
from vireid.models.published_agw import published_name


def varied(model):
    """Norms that differ, so that a swapped pair shows, and blocks that do something."""
    for index, tensor in enumerate(model.state_dict().values()):
        if tensor.is_floating_point() and tensor.ndim == 1:
            tensor.add_(0.01 * (1 + index % 7))
    return model.eval()


def meta(model, **others):
    facts = {"network": type(model).__name__, "backbone": model.backbone_name, "stage": "mmm"}
    facts |= {"num_identities": model.num_identities, "num_frames": 4, "test_frames": 4}
    return facts | {"img_h": 64, "img_w": 32, "flip": False, "step": 3, "dataset": "x", **others}


@pytest.fixture(scope="module")
def video():
    torch.manual_seed(0)
    return varied(M3ReID(7, num_frames=4))


@pytest.fixture(scope="module")
def image():
    torch.manual_seed(1)
    return varied(AGW(5))


def embed(model, images):
    with torch.no_grad():
        return model(images) if images.ndim == 5 else model(images, Modality.INFRARED)


def same(left, right):
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_video_network_to_the_published_layout_and_back(video, tmp_path, capsys):
    save_model(tmp_path / "model.safetensors", video, meta(video))
    published, back = tmp_path / "published.pth", tmp_path / "sub" / "back.safetensors"
    assert main(["export", str(tmp_path), "--output", str(published)]) == 0
    said = capsys.readouterr().out
    assert "M3ReID (resnet50), 7 identities, the published M3-ReID layout" in said
    state = torch.load(published, weights_only=True)
    assert all(tensor.is_contiguous() for tensor in state.values())
    loaded = load_official_m3reid(published, num_frames=4)
    clips = torch.randn(1, 4, 3, 64, 32)
    assert embed(video, clips).isfinite().all()
    assert torch.equal(embed(loaded, clips), embed(video, clips))
    arguments = [str(published), "--format", "safetensors", "--output", str(back)]
    assert main(["export", *arguments]) == 0
    again, facts = load_model(back)
    same(again.state_dict(), video.state_dict())
    assert facts["source"] == "published.pth"
    assert (facts["img_h"], facts["num_frames"], facts["stage"]) == (288, 6, "published")
    second = tmp_path / "second.pth"
    # The input may stand anywhere among the flags.
    assert main(["export", "--format", "published", str(back), "--output", str(second)]) == 0
    same(torch.load(second, weights_only=True), state)


def test_image_network_to_the_published_layout_and_back(image, tmp_path, capsys):
    ours = tmp_path / "model.safetensors"
    save_model(ours, image, meta(image, num_frames=1))
    published, second = tmp_path / "published.t", tmp_path / "second.t"
    assert main(["export", str(ours), "--output", str(published)]) == 0
    assert "AGW (resnet50), 5 identities, the published MMM" in capsys.readouterr().out
    file = torch.load(published, weights_only=True)
    assert file.keys() == {"net"}
    loaded = load_official_agw(published)
    images = torch.randn(2, 3, 64, 32)
    assert embed(image, images).isfinite().all()
    assert torch.equal(embed(loaded, images), embed(image, images))
    assert main(["export", str(published), "--output", str(second)]) == 0
    same(torch.load(second, weights_only=True)["net"], file["net"])
    # What the published network stores beside what it uses costs no space.
    stored = sum(t.numel() * t.element_size() for t in image.state_dict().values())
    assert published.stat().st_size < 1.2 * stored


def test_unused_parts_of_the_published_layout_hold_our_weights(image, tmp_path):
    ours, published = tmp_path / "model.safetensors", tmp_path / "published.pth"
    save_model(ours, image, meta(image))
    assert main(["export", str(ours), "--output", str(published)]) == 0
    state = torch.load(published, weights_only=True)["net"]
    used = {published_name(name) for name in image.state_dict()}
    # Two more copies of the stages, one of the stem (six tensors), and a neck.
    stages = sum(name.startswith("trunk.layer") for name in image.state_dict())
    assert len(state.keys() - used) == 2 * stages + 6 + 5
    twin = state["thermal_module.thermal.layer4.2.conv3.weight"]
    assert torch.equal(twin, image.trunk.layer4[2].conv3.weight)
    assert torch.equal(state["bottleneck_2.running_mean"], image.neck.running_mean)


def test_without_classifier(video, tmp_path, capsys):
    ours, published = tmp_path / "encoder.safetensors", tmp_path / "published.pth"
    headless = M3ReID(0)
    save_model(ours, headless, meta(headless))
    assert main(["export", str(tmp_path), "--output", str(published)]) == 0
    assert "no classifier" in capsys.readouterr().out
    assert load_official_m3reid(published).num_identities == 0


def test_a_network_of_ones_own_has_no_published_layout(tmp_path):
    class OwnNet(AGW):
        pass

    with pytest.raises(UserError, match="no released code has a OwnNet"):
        write_published(tmp_path / "x.pth", OwnNet(0, backbone="thin-4"))


def test_existing_file_is_kept(tmp_path, capsys):
    model = M3ReID(2, backbone="thin-4")
    save_model(tmp_path / "model.safetensors", model, meta(model))
    there = tmp_path / "there.safetensors"
    there.write_bytes(b"precious")
    arguments = [str(tmp_path), "--format", "safetensors", "--output", str(there)]
    assert main(["export", *arguments]) == 2
    assert "add --overwrite" in capsys.readouterr().err
    assert there.read_bytes() == b"precious"
    assert main(["export", *arguments, "--overwrite"]) == 0
    same(load_model(there)[0].state_dict(), model.state_dict())


@pytest.fixture
def thin(tmp_path):
    model = M3ReID(2, backbone="thin-4")
    save_model(tmp_path / "model.safetensors", model, meta(model))
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    "name, layout, message",
    [
        ("x.pth", "published", "has a resnet50; this network has the backbone thin-4"),
        ("x.safetensors", "published", "writes what torch.load reads"),
        ("x.pth", "safetensors", "ends in .safetensors"),
    ],
)
def test_what_cannot_be_written_is_said(thin, name, layout, message, capsys):
    output = thin.parent / name
    assert main(["export", str(thin), "--format", layout, "--output", str(output)]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_what_is_missing_or_unexpected_is_named(video, tmp_path, capsys):
    save_model(tmp_path / "model.safetensors", video, meta(video))
    published = tmp_path / "published.pth"
    assert main(["export", str(tmp_path), "--output", str(published)]) == 0
    state = torch.load(published, weights_only=True)
    del state["NL_3.1.theta.bias"], state["classifier.weight"]
    state["head.bias"] = torch.zeros(2)
    torch.save({"state_dict": state}, published)
    output = ["--format", "safetensors", "--output", str(tmp_path / "x.safetensors")]
    assert main(["export", str(published), *output]) == 2
    said = capsys.readouterr().err
    assert "1 missing: NL_3.1.theta.bias" in said
    assert "1 unexpected: head.bias" in said
    assert "classifier" not in said


def test_foreign_files_are_refused(tmp_path, capsys):
    for name, content in (("a.pth", {"fc.weight": torch.ones(2)}), ("b.pth", [1, 2])):
        torch.save(content, tmp_path / name)
        arguments = [str(tmp_path / name), "--output", str(tmp_path / "x.pth")]
        assert main(["export", *arguments]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "in no published layout: no name in it begins with mvl_attention. or base_re" in first
    assert "expected a state_dict" in second
    assert main(["export", str(tmp_path / "none"), "--output", str(tmp_path / "x.pth")]) == 2
    assert "no trained network at" in capsys.readouterr().err
