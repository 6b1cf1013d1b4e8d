"""Reads and writes the checkpoint layout of published MMM: AGW with two streams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from .agw import AGW
from .published_m3reid import translated
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
_STEM_COPY, _STAGES_COPY = "visible_module.visible.", "base_resnet.base."
_WHOLE = (_STEM_COPY, "thermal_module.thermal.", _STAGES_COPY)
_NECK, _UNUSED_NECK = "bottleneck.", "bottleneck_2."
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
    used = {published_name(name): name for name in model.state_dict()}
    expected = to_published_agw(model)
    check_state(
        state,
        expected,
        layout="a published AGW two-stream checkpoint",
        optional={CLASSIFIER, *(expected.keys() - used.keys())},
    )
    model.load_state_dict(
        {name: state[published] for published, name in used.items() if published in state},
        strict=False,
    )
    return model.eval()


def to_published_agw(model: AGW) -> dict[str, Tensor]:
    """Gives the state of a network under the published names and shapes.

    The published network stores three whole residual networks and a second neck. Here the parts
    that it never uses hold our stem, stages and neck once more, so that its strict loading works.

    Args:
        model: any AGW; the released code reads those with the ResNet-50 backbone, under ``net``.

    Returns:
        Names and tensors (sharing memory with the network), without the classifier if it has none.
    """
    used = {published_name(name): tensor for name, tensor in model.state_dict().items()}
    return used | _copies(used)


def published_name(name: str) -> str:
    """Translates a name of our state to the published one."""
    renamed = translated(name, _PREFIXES)
    # The published value branch is a sequence of one layer.
    return renamed.replace(".g.", ".g.0.") if renamed.startswith("NL_") else renamed


def _copies(used: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the published state holds beside the network, filled with the network's own tensors."""
    copies = {}
    for name, tensor in used.items():
        if name.startswith(_NECK):
            copies[_UNUSED_NECK + name.removeprefix(_NECK)] = tensor
        for prefix in (_STEM_COPY, _STAGES_COPY):
            if name.startswith(prefix):
                part = name.removeprefix(prefix)
                copies |= {copy + part: tensor for copy in _WHOLE if copy + part not in used}
    return copies
