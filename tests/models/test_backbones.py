"""Backbones: shapes, strides, weights, and messages."""

from urllib.error import URLError

import pytest
import torch
import torchvision
from torch import nn
from vireid.models import build_backbone


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name, width", [("thin", 32), ("thin-16", 16), ("thin-24", 24)])
def test_thin_shapes_and_size(name, width):
    backbone = build_backbone(name)
    features = backbone(torch.randn(2, 3, 64, 32))
    assert features.shape == (2, 4 * 8 * width, 8, 4)
    assert backbone.out_channels == 32 * width
    assert backbone.stage_channels == (width, 2 * width, 4 * width, 32 * width)
    assert [len(layer) for layer in backbone.layers] == [1, 1, 1, 2]  # the last has windows
    # 3×3 stem and, in each stage, two 3×3 convolutions and a 1×1 shortcut where channels change.
    expected = 27 * width + 2 * width + (18 * width**2 + 4 * width)
    for before in (width, 2 * width, 4 * width):
        after = 2 * before
        expected += 9 * before * after + 9 * after**2 + before * after + 6 * after
    assert count(backbone) == expected


@pytest.mark.parametrize("name", ["thin", "resnet18"])
def test_gradient_reaches_every_parameter(name):
    backbone = build_backbone(name)
    backbone(torch.randn(4, 3, 64, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.parameters())


@pytest.mark.parametrize(
    "name, last_stride, size",
    [
        ("thin", None, (8, 4)),
        ("thin", 1, (8, 4)),
        ("thin", 2, (4, 2)),
        ("resnet18", None, (2, 1)),
        ("resnet18", 1, (4, 2)),
        ("resnet18", 2, (2, 1)),
    ],
)
def test_last_stride(name, last_stride, size):
    backbone = build_backbone(name, last_stride=last_stride).eval()
    assert backbone(torch.randn(1, 3, 64, 32)).shape[2:] == size


def test_bottlenecks_keep_their_weights_with_another_last_stride(tmp_path):
    plain = build_backbone("resnet50").eval()
    torch.save(plain.state_dict(), tmp_path / "own.pth")
    dense = build_backbone("resnet50", last_stride=1, weights=tmp_path / "own.pth").eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected, found = plain(images), dense(images)
    assert expected.shape[1:] == (2048, 1, 1)
    assert found.shape[1:] == (2048, 2, 2)
    assert torch.equal(plain.layer4[0].conv2.weight, dense.layer4[0].conv2.weight)


def test_torchvision_file_gives_torchvision_features(tmp_path):
    net = torchvision.models.resnet18(weights=None).eval()
    torch.save(net.state_dict(), tmp_path / "resnet18.pth")
    backbone = build_backbone("resnet18", weights=str(tmp_path / "resnet18.pth")).eval()
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        found = backbone(images).mean(dim=(2, 3))
        net.fc = nn.Identity()
        torch.testing.assert_close(found, net(images))


def test_file_of_another_network_is_refused(tmp_path):
    torch.save(build_backbone("thin-8").state_dict(), tmp_path / "thin.pth")
    with pytest.raises(ValueError, match=r"a state of thin-16 .*of another shape: stem\.conv"):
        build_backbone("thin-16", weights=tmp_path / "thin.pth")
    with pytest.raises(ValueError, match=r"a state of resnet18 .*missing: .*layer1\.1"):
        build_backbone("resnet18", weights=tmp_path / "thin.pth")


def test_without_network_the_message_says_what_to_do(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise URLError("no route")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with pytest.raises(RuntimeError, match=r"weights=FILE.*weights=none"):
        build_backbone("resnet18", weights="imagenet")


def test_imagenet_weights_are_version_one(monkeypatch):
    asked = []

    def give(url, *_args, **_kwargs):
        asked.append(url)
        return torchvision.models.resnet18(weights=None).state_dict()

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", give)
    build_backbone("resnet18", weights="imagenet")
    assert asked == [torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url]


def test_there_are_no_imagenet_weights_for_thin():
    with pytest.raises(ValueError, match="no ImageNet weights for thin"):
        build_backbone("thin", weights="imagenet")


@pytest.mark.parametrize("name", ["resnet99", "thin-0", "thin-", "thinner"])
def test_unknown_name_lists_the_known(name):
    with pytest.raises(ValueError, match="known: resnet18, resnet34, resnet50, thin"):
        build_backbone(name)


def test_wrong_stride_is_named():
    with pytest.raises(ValueError, match="`last_stride` of a backbone is 1 or 2; got 3"):
        build_backbone("thin", last_stride=3)
