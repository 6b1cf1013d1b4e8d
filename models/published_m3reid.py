"""Reads and writes the checkpoint layout of published M3-ReID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from .m3reid import M3ReID
from .state_files import check_state, read_state_dict

# Beginnings of names: ours, published.
_PREFIXES = (
    ("stem.conv.", "backbone.conv1."),
    ("stem.bn.", "backbone.bn1."),
    ("trunk.layer", "backbone.layer"),
    ("trunk.non_local2.", "NL_2."),
    ("trunk.non_local3.", "NL_3."),
    ("pool.hw.", "mvl_attention.view_attention_hw."),
    ("pool.tw.", "mvl_attention.view_attention_tw."),
    ("pool.th.", "mvl_attention.view_attention_th."),
    ("neck.", "bn_neck."),
    ("classifier.", "classifier."),
    ("frame_classifier.", "classifier_frame."),
)
CLASSIFIERS = ("classifier.weight", "classifier_frame.weight")


def load_official_m3reid(state_dict: Mapping[str, Any] | str | Path, num_frames: int = 6) -> M3ReID:
    """Builds M3-ReID (ResNet-50) from a published checkpoint.

    Args:
        state_dict: the state, a dictionary that wraps it, or a file; see ``read_state_dict``. Both
            classifiers may be left out (the network then has none); if one is, it starts fresh.
        num_frames: frames a clip of the recipe.

    Returns:
        The network in eval mode, float32, with as many identities as the checkpoint's classifiers.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: no state of tensors, or something else is missing, unexpected or of another
            shape; the message names it.
    """
    state = read_state_dict(state_dict)
    present = [state[name] for name in CLASSIFIERS if name in state]
    identities = present[0].shape[0] if present and present[0].ndim == 2 else 0
    model = M3ReID(identities, num_frames)
    expected = to_published_m3reid(model)
    check_state(state, expected, layout="a published M3-ReID checkpoint", optional=CLASSIFIERS)
    own = model.state_dict()
    model.load_state_dict(
        {
            name: state[published_name(name)].view_as(tensor)
            for name, tensor in own.items()
            if published_name(name) in state
        },
        strict=False,
    )
    return model.eval()


def to_published_m3reid(model: M3ReID) -> dict[str, Tensor]:
    """Gives the state of a network under the published names and shapes.

    Args:
        model: any M3-ReID; the released code reads those with the ResNet-50 backbone.

    Returns:
        Names and tensors (sharing memory with the network), without classifiers if it has none.
    """
    state = {}
    for name, tensor in model.state_dict().items():
        published = published_name(name)
        # The published non-local blocks are 3-D convolutions of size 1.
        if published.startswith("NL_") and tensor.ndim == 4:
            tensor = tensor.unsqueeze(-1)
        state[published] = tensor
    return state


def published_name(name: str) -> str:
    """Translates a name of our state to the published one."""
    return translated(name, _PREFIXES)


def translated(name: str, prefixes: Sequence[tuple[str, str]]) -> str:
    """Translates a name by its beginning, ours and published, and in non-local blocks its end.

    ``trunk.non_local2.0.project.weight``, for instance, is ``NL_2.0.W.0.weight``.
    """
    ours, published = next(pair for pair in prefixes if name.startswith(pair[0]))
    rest = name.removeprefix(ours)
    # The output convolution of a non-local block and its norm are published as a sequence.
    return published + rest.replace(".project.", ".W.0.").replace(".norm.", ".W.1.")
