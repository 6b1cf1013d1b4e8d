"""Reads the checkpoint layout of the published MMM code: AGW with two streams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from .agw import AGW
from .backbones import build_backbone
from .official_m3reid import non_local_name
from .state_files import check_state, read_state_dict

# Beginnings of names: ours, published.
_PREFIXES = (
    ("visible_stem.conv.", "visible_module.visible.conv1."),
    ("visible_stem.bn.", "visible_module.visible.bn1."),
    ("infrared_stem.conv.", "thermal_module.thermal.conv1."),
    ("infrared_stem.bn.", "thermal_module.thermal.bn1."),
    ("trunk.layer", "base_resnet.base.layer"),
    ("trunk.non_local2.", "NL_2."),
    ("trunk.non_local3.", "NL_3."),
    ("neck.", "bottleneck."),
    ("classifier.", "classifier."),
)
# The published state holds three whole ResNets and a second neck; what lies in it without ever
# being used is known, and neither needed nor read.
_COPIES = ("visible_module.visible.", "thermal_module.thermal.", "base_resnet.base.")
_UNUSED_NECK = "bottleneck_2."
CLASSIFIER = "classifier.weight"


def load_official_agw(state_dict: Mapping[str, Any] | str | Path) -> AGW:
    """Builds AGW (ResNet-50, last stride 1) from a published MMM checkpoint.

    Args:
        state_dict: the state, a dictionary that wraps it (published files hold it under ``net``),
            or a file; see ``read_state_dict``. The classifier may be left out, and so may the
            parts that the published network stores but never uses.

    Returns:
        The network in eval mode, float32, with as many identities as the checkpoint's classifier.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: no state of tensors, or something else is missing, unexpected or of another
            shape; the message names it.
    """
    state = read_state_dict(state_dict)
    head = state.get(CLASSIFIER)
    model = AGW(head.shape[0] if head is not None and head.ndim == 2 else 0)
    own = model.state_dict()
    used = {official_name(name): name for name in own}
    unused = _unused(model)
    expected = {published: own[name] for published, name in used.items()} | unused
    check_state(
        state,
        expected,
        layout="a published AGW two-stream checkpoint",
        optional={CLASSIFIER, *unused},
    )
    model.load_state_dict(
        {name: state[published] for published, name in used.items() if published in state},
        strict=False,
    )
    return model.eval()


def official_name(name: str) -> str:
    """Translates a name of our state to the published one.

    Args:
        name: a key of ``AGW.state_dict()``.

    Returns:
        The published key.
    """
    ours, published = next(pair for pair in _PREFIXES if name.startswith(pair[0]))
    renamed = published + non_local_name(name.removeprefix(ours))
    # The published value branch is a sequence of one layer.
    return renamed.replace(".g.", ".g.0.") if renamed.startswith("NL_") else renamed


def _unused(model: AGW) -> dict[str, Tensor]:
    """Names and shapes of what the published state holds beside the network."""
    used = {official_name(name) for name in model.state_dict()}
    whole = build_backbone("resnet50").state_dict()
    copies = {
        prefix + name.replace("stem.conv.", "conv1.").replace("stem.bn.", "bn1."): tensor
        for prefix in _COPIES
        for name, tensor in whole.items()
    }
    neck = {_UNUSED_NECK + name: tensor for name, tensor in model.neck.state_dict().items()}
    return {name: tensor for name, tensor in (copies | neck).items() if name not in used}
