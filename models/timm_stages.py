"""Cuts a network of timm into stem and four stages, and makes sure that nothing changed by it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .input_statistics import InputStatistics, differs
from .stem_and_stages import Backbone
from .token_maps import OnTokens, TokenStem, WithoutPrefix

# What follows the feature map in timm's networks.
HEADS = (
    *("global_pool", "pool", "attn_pool", "pre_logits", "flatten", "fc_norm"),
    *("head", "head_drop", "head_dist", "fc", "classifier"),
)
# What these leave behind is not negative.
RECTIFIERS = ("ReLU", "ReLU6", "Sigmoid", "Hardsigmoid")
# And hardly negative: their least value is between -0.4 and 0.
SMOOTH = ("SiLU", "Swish", "Hardswish", "HardSwish", "Mish", "HardMish", "GELU", "GELUTanh")
PROBE_SIDE = 64
ROUNDING = 1e-4  # of the largest value
STAGES = 4


class SignedHalves(nn.Module):
    """Positive part and negative part of a map, one after the other.

    The poolings above take powers of maps that are not negative; of others they would lose half.
    Shang et al., "Understanding and improving convolutional neural networks via concatenated
    rectified linear units" (ICML 2016).
    """

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] to [N, 2 C, H, W], not negative."""
        return torch.cat([features.relu(), (-features).relu()], dim=1)


class _Unit(NamedTuple):
    """A part that runs after the one before it; ``path`` is its name in timm's network."""

    path: str
    module: nn.Module


def cut(net: Any, name: str) -> Backbone:
    """Cuts a network; its parts are used, not copied.

    A convolutional network is cut at the last four feature maps that timm lists: the first stage is
    the part that gives the first of them, the stem is all before it, and what follows the last one
    up to the pooling ends the fourth. The blocks of a vision transformer are dealt out evenly.

    Args:
        net: as ``timm.create_model(…, num_classes=0)`` made it, weights loaded.
        name: for messages.

    Returns:
        The backbone, in training mode, which takes frames normalised with ImageNet's statistics.

    Raises:
        ValueError: the network cannot be cut so that it computes what it did.
    """
    from timm.models.vision_transformer import VisionTransformer

    net.eval()
    tokens = isinstance(net, VisionTransformer)
    image = _probe(net)
    with torch.no_grad():
        try:
            wanted = net.forward_features(image)
        except (RuntimeError, ValueError, AssertionError, IndexError, TypeError) as error:
            raise ValueError(
                f"{name} does not run on frames of {image.shape[2]} x {image.shape[3]} pixels "
                f"({error}); choose a network that is not bound to the size of its images"
            ) from error
        stem, layers, prefix = _cut_tokens(net, name) if tokens else _cut_maps(net, name, image)
        for part in (stem, *layers):
            _plain_batch_norm(part)
        ends, found = [], stem(image)
        for layer in layers:
            found = layer(found)
            ends.append(found.shape[1])
        if prefix is not None:
            wanted = _patches(wanted, prefix, found.shape)
        _require_equal(found, wanted, name)
        last = _last_change((stem, *layers), image)
    if last not in RECTIFIERS:
        layers[-1].append(nn.ReLU() if last in SMOOTH else SignedHalves())
        ends[-1] *= 1 if last in SMOOTH else 2
    mean, std = net.pretrained_cfg["mean"], net.pretrained_cfg["std"]
    if differs(mean, std):
        stem = nn.Sequential(InputStatistics(mean, std), stem)
    return Backbone(stem, layers, tuple(ends), prefix_tokens=prefix or 0).train()


def _probe(net: Any) -> Tensor:
    """A small image, [1, 3, H, W], that costs no random number."""
    patch = getattr(getattr(net, "patch_embed", None), "patch_size", None)
    height, width = PROBE_SIDE, PROBE_SIDE
    if isinstance(patch, tuple):
        height, width = 2 * patch[0], 3 * patch[1]
    return torch.arange(3.0 * height * width).mul(0.7).sin().view(1, 3, height, width)


def _cut_maps(net: Any, name: str, image: Tensor) -> tuple[nn.Module, list[nn.Sequential], None]:
    """Stem and stages of a network whose parts run one after the other."""
    try:
        infos = list(net.feature_info)[-STAGES:]
        widths = {str(info["module"]): int(info["num_chs"]) for info in infos}
    except (AttributeError, KeyError, TypeError):
        widths = {}
    stages = list(widths)
    units = list(_units(net, stages))
    places = [place for place, unit in enumerate(units) if unit.path in stages]
    if len(places) != STAGES or places[0] == 0:
        raise ValueError(
            f"{name} does not list {STAGES} feature maps along its parts, so that it cannot be cut "
            f"into stem and {STAGES} stages"
        )
    stem = nn.Sequential(*(unit.module for unit in units[: places[0]]))
    begins = [places[0], *(place + 1 for place in places[:-1]), len(units)]
    layers, features = [], _run(stem, image, name)
    for number, (begin, end) in enumerate(pairwise(begins), start=1):
        blocks = [block for unit in units[begin:end] for block in _blocks(unit.module)]
        layer, features = _stage(blocks, features, name, whole=number == STAGES)
        layers.append(layer)
        if number < STAGES and features.shape[1] != widths[stages[number - 1]]:
            raise _cannot_be_cut(name)  # the channels of its maps do not come first
    return stem, layers, None


def _units(net: Any, stages: list[str], before: str = "") -> Iterable[_Unit]:
    """Parts in the order in which they are registered, down to those that are stages."""
    for own, module in net.named_children():
        path = before + own
        if path in HEADS:
            return
        if any(stage.startswith(path + ".") for stage in stages):
            yield from _units(module, stages, path + ".")
        else:
            yield _Unit(path, module)


def _blocks(module: nn.Module) -> list[nn.Module]:
    return list(module) if isinstance(module, nn.Sequential) and len(module) else [module]


def _run(module: nn.Module, features: Tensor, name: str) -> Tensor:
    try:
        return module(features)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise _cannot_be_cut(name) from error


def _stage(
    blocks: list[nn.Module], features: Tensor, name: str, *, whole: bool
) -> tuple[nn.Sequential, Tensor]:
    """The blocks as a stage, and its output.

    Unless ``whole``, blocks of another width than the stage's last are joined with the first of
    that width, since a non-local block of this width may follow each.
    """
    widths = []
    for block in blocks:
        features = _run(block, features, name)
        if not isinstance(features, Tensor) or features.ndim != 4:
            raise _cannot_be_cut(name)
        widths.append(features.shape[1])
    others = [place for place, width in enumerate(widths) if width != widths[-1]]
    if others and not whole:
        joined = others[-1] + 2
        blocks = [nn.Sequential(*blocks[:joined]), *blocks[joined:]]
    return nn.Sequential(*blocks), features


def _cut_tokens(net: Any, name: str) -> tuple[nn.Module, list[nn.Sequential], int]:
    """Stem and stages of a vision transformer, and the number of its class tokens."""
    blocks, prefix = list(net.blocks), int(net.num_prefix_tokens)
    if len(blocks) < STAGES:
        raise ValueError(f"{name} has {len(blocks)} blocks; {STAGES} stages need as many")
    embed = copy.copy(net)  # the embedding alone
    embed._modules = {own: part for own, part in net._modules.items() if own not in HEADS}
    embed.blocks, embed.norm = nn.Sequential(), nn.Identity()
    stem = TokenStem(embed, net.patch_embed.patch_size, prefix, name)
    ends = [round(len(blocks) * part / STAGES) for part in range(STAGES + 1)]
    layers = [
        nn.Sequential(*(OnTokens(block, prefix) for block in blocks[begin:end]))
        for begin, end in pairwise(ends)
    ]
    layers[-1].extend([OnTokens(net.norm, prefix), WithoutPrefix(prefix)])
    return stem, layers, prefix


def _patches(tokens: Tensor, prefix: int, shape: torch.Size) -> Tensor:
    """Tokens as timm gives them, as the map of their patches."""
    if tokens.ndim != 3 or tokens.shape[1] != prefix + shape[2] * shape[3]:
        return tokens
    return tokens[:, prefix:].transpose(1, 2).reshape(shape)


def _require_equal(found: Tensor, wanted: Any, name: str) -> None:
    """The stages compute what the whole network does; without values only shapes are compared."""
    if not isinstance(wanted, Tensor) or found.shape != wanted.shape:
        raise _cannot_be_cut(name)
    if found.is_meta:
        return
    if float((found - wanted).abs().max()) > ROUNDING * float(wanted.abs().max()):
        raise _cannot_be_cut(name)


def _cannot_be_cut(name: str) -> ValueError:
    return ValueError(
        f"{name} does not run its parts one after the other on maps [N, C, H, W], so that it "
        f"cannot be cut into stem and {STAGES} stages; residual and mobile networks, EfficientNet, "
        "RegNet, ConvNeXt, DenseNet and plain vision transformers can"
    )


def _last_change(parts: Sequence[nn.Module], image: Tensor) -> str:
    """Name of the class of the last module that changes values."""
    ran: list[str] = []
    passing = (nn.Identity, nn.Dropout, nn.MaxPool2d, nn.AvgPool2d, WithoutPrefix)
    hooks = [
        leaf.register_forward_hook(lambda module, *_: ran.append(type(module).__name__))
        for part in parts
        for leaf in part.modules()
        if not list(leaf.children()) and not isinstance(leaf, passing)
    ]
    features = image
    for part in parts:
        features = part(features)
    for hook in hooks:
        hook.remove()
    return ran[-1]


def _plain_batch_norm(module: nn.Module) -> None:
    """Takes timm's batch norm with activation apart into layers that the toolkit knows.

    Groups of a batch and several processes put their own batch norm in place of torch's; the
    activation inside of timm's would be lost by that.
    """
    from timm.layers import BatchNormAct2d

    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, BatchNormAct2d):
                norm = nn.BatchNorm2d(child.num_features, child.eps, child.momentum)
                norm._parameters, norm._buffers = child._parameters, child._buffers
                parent._modules[name] = nn.Sequential(norm, child.drop, child.act).train(
                    child.training
                )
