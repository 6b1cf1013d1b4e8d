"""The gradients of thin networks, narrower than a register, are right in either memory layout."""

import copy

import pytest
import torch
from vireid.models.backbones import NarrowShortcut, build_backbone


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_leaving_out_first_is_the_strided_convolution(stride):
    ours = NarrowShortcut(4, 8, 1, stride=stride, bias=False).double()
    maps = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    plain = torch.nn.functional.conv2d(maps, ours.weight, stride=stride)
    torch.testing.assert_close(ours(maps), plain)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_gradients_are_those_of_double_precision(width):
    torch.manual_seed(0)
    backbone = build_backbone(f"thin-{width}").to(memory_format=torch.channels_last)
    precise = copy.deepcopy(backbone).double()
    images = torch.randn(8, 3, 32, 16)
    for network, given in ((backbone, images), (precise, images.double())):
        network(given).square().mean().backward()
    for name, weight in precise.named_parameters():
        gradient = backbone.get_parameter(name).grad
        torch.testing.assert_close(gradient.double(), weight.grad, atol=1e-4, rtol=1e-3, msg=name)
