"""Builds the network that the settings ask for, and describes it for its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..models.network import Network, network_named
from .checkpoint import load_model
from .model_trial import require_same_trial
from .options import NetworkOptions
from .runtime import Runtime
from .session import Session


def build_network(options: NetworkOptions, session: Session, num_identities: int = 0) -> Network:
    """The network on the device, in the memory layout that trains fastest.

    Args:
        options: network, backbone and weights; a ``.safetensors`` file of ours as weights gives the
            whole network, anything else the backbone alone.
        session: device, seed, frames of a clip and the data set at hand.
        num_identities: outputs of the classifiers; 0 = none.

    Raises:
        UserError: the weights cannot be had or do not fit.
    """
    torch.manual_seed(session.options.seed)
    weights = None if options.weights == "none" else options.weights
    if weights is not None and weights.endswith(".safetensors"):
        file, data = Path(weights), session.options
        model, meta = load_model(file)
        require_same_network(file, meta, options)
        require_same_trial(file, meta, data.dataset, data.trial)
        model.set_num_identities(num_identities)
    else:
        try:
            model = network_named(options.network).build(
                num_identities,
                num_frames=session.options.num_frames,
                weights=weights,
                backbone=options.backbone,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise UserError(
                f"--backbone {options.backbone}, --weights {options.weights}: {error}"
            ) from error
    return place(model, session.runtime)


def require_same_network(file: Path, meta: dict[str, Any], options: NetworkOptions) -> None:
    """Refuses weights of another network or backbone than the settings name.

    Raises:
        UserError: with the settings that fit.
    """
    found = network_named(meta["network"]).name
    if (found, meta["backbone"]) != (options.network, options.backbone):
        raise UserError(
            f"{file} holds a {meta['backbone']} of --network {found}, but --backbone is "
            f"{options.backbone} and --network {options.network}; give those of the file"
        )


def network_of(file: Path, options: NetworkOptions, runtime: Runtime) -> Network:
    """The network that :func:`save_model` wrote, on the device.

    Raises:
        UserError: the file is damaged, or holds another network or backbone than ``options``.
    """
    model, meta = load_model(file)
    require_same_network(file, meta, options)
    return place(model, runtime)


def place(model: Network, runtime: Runtime) -> Network:
    """Moves the network to the device, in the memory layout that trains fastest."""
    return model.to(runtime.device).to(memory_format=torch.channels_last)


def network_meta(
    options: NetworkOptions, session: Session, model: Network, *, stage: str, step: int
) -> dict[str, Any]:
    """What a checkpoint says about itself: network, preprocessing, origin."""
    preprocessing = ("num_frames", "test_frames", "img_h", "img_w", "flip")
    return {
        "network": type(model).__name__,
        "backbone": options.backbone,
        "num_identities": model.num_identities,
        **{name: getattr(session.options, name) for name in preprocessing},
        "stage": stage,
        "step": step,
        **{name: getattr(session.options, name) for name in ("dataset", "trial", "seed")},
    }
