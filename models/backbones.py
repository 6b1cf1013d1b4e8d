"""Backbones by name: residual networks, thin ones and timm's, with or without learned weights."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck

from .state_files import check_state, read_state_dict
from .stem_and_stages import Backbone
from .timm_networks import PREFIX, build_timm, is_timm

RESNETS = ("resnet18", "resnet34", "resnet50")
THIN_WIDTH = 32
THIN_STRIDES = (1, 2, 2, 1)
STRIPES = 4
REGISTER = 16  # float32 values in the widest one, that of AVX-512


class NarrowShortcut(nn.Conv2d):
    """A strided 1 × 1 convolution that leaves rows and columns out first, with equal results.

    oneDNN writes beyond its workspace where it strides itself, the map is channels_last and has
    fewer channels than a register holds: wrong gradients, or the end of the process (seen on AVX2
    with four; its issue 6035).
    """

    def forward(self, maps: Tensor) -> Tensor:
        """[N, C, H, W] to [N, C', H / stride, W / stride], sizes rounded up."""
        down, right = self.stride
        return F.conv2d(maps[:, :, ::down, ::right], self.weight, self.bias)


class StripeWindows(nn.Module):
    """Repeats a feature map once a stripe, seen through that stripe's window.

    Pooling over a whole map forgets where on the body a pattern was; a deep network knows from its
    large receptive field, a thin one does not. The windows are trapezia over the height that
    overlap by half a stripe, so that a box that sits a little high changes little. Parts as
    horizontal stripes: Sun et al., "Beyond part models" (ECCV 2018).

    Args:
        stripes: number of stripes S.
    """

    def __init__(self, stripes: int = 4) -> None:
        super().__init__()
        self.stripes = stripes

    def windows(self, height: int, like: Tensor) -> Tensor:
        """Weight of each row in each stripe, [S, height], in [0, 1]."""
        row = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) / height
        centre = torch.arange(self.stripes, device=like.device, dtype=like.dtype) + 0.5
        distance = (row * self.stripes - centre[:, None]).abs()
        return (1.5 - distance).clamp(0, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Windows of a feature map.

        Args:
            features: [N, C, H, W].

        Returns:
            [N, S * C, H, W], the first stripe's channels first.
        """
        windows = self.windows(features.shape[2], features)
        return torch.cat([features * window[:, None] for window in windows], dim=1)


def build_backbone(
    name: str, *, last_stride: int | None = None, weights: str | Path | None = None
) -> Backbone:
    """Builds a backbone by name.

    Args:
        name: ``resnet18``, ``resnet34``, ``resnet50``; or ``thin``, a small network for 64 × 32
            pixels (3×3 stem with stride 2 and no pooling, four stages of one basic block with
            strides 1, 2, 2, 1 and channels 32, 64, 128, 256, the last map once through each of 4
            horizontal windows: 1,024 channels), ``thin-W`` for another first width; or
            ``timm/NAME``, a network of the timm library.
        last_stride: stride of the last stage, 1 or 2; None keeps the network's own (2 for the
            ResNets, 1 for thin), as networks of timm always do.
        weights: ``imagenet`` (torchvision's IMAGENET1K_V1, or timm's own, downloaded once), a file
            with a state in torchvision's layout (a classifier ``fc.*`` in it is ignored) or in this
            class's, for networks of timm see ``build_timm``; or None / ``none`` for random
            initialisation.

    Returns:
        The backbone, in training mode.

    Raises:
        ValueError: unknown name or stride, or weights that do not fit.
        FileNotFoundError: the file does not exist.
        RuntimeError: ImageNet weights cannot be downloaded.
        UserError: a network of timm, and timm is not installed.
    """
    if is_timm(name):
        if last_stride is not None:
            raise ValueError(f"{name} has strides of its own; got last_stride={last_stride}")
        return build_timm(name, weights)
    if last_stride not in (None, 1, 2):
        raise ValueError(f"`last_stride` of a backbone is 1 or 2; got {last_stride}")
    thin = re.fullmatch(r"thin(?:-([1-9]\d*))?", name)
    if name not in RESNETS and not thin:
        raise ValueError(
            f"unknown backbone {name!r}; known: {', '.join(RESNETS)}, thin, thin-WIDTH, and "
            f"{PREFIX}NAME for the networks of timm"
        )
    backbone = _thin(int(thin[1] or THIN_WIDTH)) if thin else _resnet(name)
    if last_stride is not None:
        _set_last_stride(backbone.layer4[0], last_stride)
    if weights is not None and str(weights) != "none":
        _load_weights(backbone, name, weights)
    return backbone


def _resnet(name: str) -> Backbone:
    net = torchvision.models.get_model(name, weights=None)
    stem = nn.Sequential(OrderedDict(conv=net.conv1, bn=net.bn1, relu=net.relu, pool=net.maxpool))
    layers = [net.layer1, net.layer2, net.layer3, net.layer4]
    widest = net.fc.in_features
    return Backbone(stem, layers, tuple(widest // 2**halvings for halvings in (3, 2, 1, 0)))


def _thin(width: int) -> Backbone:
    stem = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False),
            bn=nn.BatchNorm2d(width),
            relu=nn.ReLU(inplace=True),
        )
    )
    layers = []
    channels = tuple(width * 2**stage for stage in range(4))
    before = width
    for after, stride in zip(channels, THIN_STRIDES):
        shortcut = None
        if before != after or stride != 1:
            convolution = NarrowShortcut if before < REGISTER else nn.Conv2d
            shortcut = nn.Sequential(
                convolution(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )
        layers.append(nn.Sequential(BasicBlock(before, after, stride, shortcut)))
        before = after
    layers[-1].append(StripeWindows(STRIPES))
    backbone = Backbone(stem, layers, (*channels[:-1], STRIPES * channels[-1]))
    for part in backbone.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return backbone


def _set_last_stride(block: BasicBlock | Bottleneck, stride: int) -> None:
    """Sets the stride of a stage's first block: one convolution on its way, one on the shortcut."""
    strided = block.conv2 if isinstance(block, Bottleneck) else block.conv1
    for conv in (strided, block.downsample[0]):
        conv.stride = (stride, stride)


def _load_weights(backbone: Backbone, name: str, weights: str | Path) -> None:
    if str(weights) == "imagenet":
        state, where = _imagenet(name), "torchvision's ImageNet weights"
    else:
        state, where = read_state_dict(weights), str(weights)
    renamed = {
        re.sub(r"^(conv|bn)1\.", r"stem.\1.", key): tensor
        for key, tensor in state.items()
        if not key.startswith("fc.")
    }
    check_state(renamed, backbone.state_dict(), layout=f"a state of {name} ({where})")
    backbone.load_state_dict(renamed)


def _imagenet(name: str) -> dict[str, Tensor]:
    if name not in RESNETS:
        raise ValueError(
            f"there are no ImageNet weights for {name}; use weights=none, a file, or one of "
            f"{', '.join(RESNETS)}"
        )
    entry = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    try:
        return dict(entry.get_state_dict(progress=False, check_hash=True))
    except OSError as error:
        raise RuntimeError(
            f"the ImageNet weights of {name} are not in torch's cache and could not be downloaded "
            f"from {entry.url} ({error}). Without network access: fetch that file elsewhere and "
            "give it as weights=FILE, or start from random weights with weights=none."
        ) from error
