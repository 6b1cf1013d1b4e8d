"""Networks from files of either layout: ours, or that of the code released with a paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import UserError
from ..models import (
    AGW,
    M3ReID,
    load_official_agw,
    load_official_m3reid,
    to_published_agw,
    to_published_m3reid,
)
from ..models.network import Network
from ..models.state_files import read_state_dict
from .checkpoint import find_model, load_model, read_meta, save_tensors

SAFETENSORS = ".safetensors"


@dataclass(frozen=True)
class PublishedLayout:
    """The published layout of a network.

    Attributes:
        code: whose checkpoints have it.
        mark: beginning of a name that only this layout has.
        read: a state in the layout to the network.
        write: the network to a state in the layout.
        wrapper: key under which files hold the state; None for none.
        facts: how the published recipe prepares its input, for the file of ours.
    """

    code: str
    mark: str
    read: Callable[[Mapping[str, Any]], Network]
    write: Callable[[Any], dict[str, Tensor]]
    wrapper: str | None
    facts: Mapping[str, Any]


IMAGE_SIZE = {"img_h": 288, "img_w": 144}
PUBLISHED: dict[type[Network], PublishedLayout] = {
    M3ReID: PublishedLayout(
        "M3-ReID",
        "mvl_attention.",
        load_official_m3reid,
        to_published_m3reid,
        None,
        {**IMAGE_SIZE, "num_frames": 6, "test_frames": 6, "flip": False},
    ),
    AGW: PublishedLayout(
        "MMM (AGW)",
        "base_resnet.",
        load_official_agw,
        to_published_agw,
        "net",
        {**IMAGE_SIZE, "num_frames": 1, "test_frames": 1, "flip": True},
    ),
}


def read_network(path: Path) -> tuple[Network, dict[str, Any]]:
    """Reads a network of ours or a published checkpoint.

    Args:
        path: finished run folder, a ``.safetensors`` file, or what ``torch.save`` wrote.

    Returns:
        The network in float32 on the CPU, and the facts that a file of ours holds about it.

    Raises:
        UserError: it is neither; what is missing, unexpected or of another shape is named.
    """
    if path.is_dir() or not path.exists():
        path = find_model(path)
    if path.suffix == SAFETENSORS and _is_ours(path):
        return load_model(path)
    try:
        state = read_state_dict(path)
        for layout in PUBLISHED.values():
            if any(name.startswith(layout.mark) for name in state):
                model = layout.read(state)
                return model, _facts(model, layout, path)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    raise UserError(
        f"{path} is no network of ours and in no published layout: no name in it begins with "
        + " or ".join(layout.mark for layout in PUBLISHED.values())
    )


def write_published(path: Path, model: Network) -> None:
    """Writes a network as a published checkpoint: names and plain tensors, nothing else.

    Raises:
        UserError: the released code has no such network, or not with this backbone.
    """
    layout = PUBLISHED.get(type(model))
    if layout is None:
        raise UserError(
            f"--format published: no released code has a {type(model).__name__}; --format "
            "safetensors takes any network"
        )
    if model.backbone_name != "resnet50":
        raise UserError(
            f"--format published: the released {layout.code} code has a resnet50; this network "
            f"has the backbone {model.backbone_name}. --format safetensors takes any"
        )
    # Row-major and on the CPU, as published files are; tensors that share memory go on sharing it.
    plain: dict[int, Tensor] = {}
    state = {}
    for name, tensor in layout.write(model).items():
        address = tensor.data_ptr()
        if address not in plain or plain[address].shape != tensor.shape:
            plain[address] = tensor.detach().cpu().contiguous().clone()
        state[name] = plain[address]
    save_tensors(path, {layout.wrapper: state} if layout.wrapper else state)


def _is_ours(path: Path) -> bool:
    try:
        read_meta(path)
    except UserError:
        return False
    return True


def _facts(model: Network, layout: PublishedLayout, path: Path) -> dict[str, Any]:
    """What a checkpoint of ours would say about a published network."""
    return {
        "network": type(model).__name__,
        "backbone": model.backbone_name,
        "num_identities": model.num_identities,
        **layout.facts,
        "stage": "published",
        "step": 0,
        "dataset": "unknown",
        "seed": 0,
        "source": path.name,
    }
