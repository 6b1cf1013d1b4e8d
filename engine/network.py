"""Builds the network that the settings ask for, and describes it for its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..errors import UserError
from ..models.network import Network, network_named
from .checkpoint import load_model
from .config import TrainingConfig
from .regdb_trial import require_same_trial
from .runtime import Runtime


def build_network(config: TrainingConfig, runtime: Runtime, num_identities: int = 0) -> Network:
    """The network on the device, in the memory layout that trains fastest.

    Args:
        config: network, backbone and weights; a ``.safetensors`` file of ours as weights gives the
            whole network, anything else the backbone alone.
        runtime: device.
        num_identities: outputs of the classifiers; 0 = none.

    Raises:
        UserError: the weights cannot be had or do not fit.
    """
    torch.manual_seed(config.seed)
    weights = None if config.weights == "none" else config.weights
    if weights is not None and weights.endswith(".safetensors"):
        model, meta = load_model(Path(weights))
        require_same_network(Path(weights), meta, config)
        require_same_trial(Path(weights), meta, config.dataset, config.trial)
        model.set_num_identities(num_identities)
    else:
        try:
            model = network_named(config.network).build(
                num_identities,
                num_frames=config.num_frames,
                weights=weights,
                backbone=config.backbone,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise UserError(
                f"--backbone {config.backbone}, --weights {config.weights}: {error}"
            ) from error
    return place(model, runtime)


def require_same_network(file: Path, meta: dict[str, Any], config: TrainingConfig) -> None:
    """Refuses weights of another network or backbone than the settings name.

    Raises:
        UserError: with the settings that fit.
    """
    found = network_named(meta["network"]).name
    if (found, meta["backbone"]) != (config.network, config.backbone):
        raise UserError(
            f"{file} holds a {meta['backbone']} of --network {found}, but --backbone is "
            f"{config.backbone} and --network {config.network}; give those of the file"
        )


def network_of(file: Path, config: TrainingConfig, runtime: Runtime) -> Network:
    """The network that a run of ours wrote, on the device.

    Args:
        file: ``.safetensors`` file of :func:`save_model`.
        config: the settings that it has to fit.
        runtime: device.

    Raises:
        UserError: the file is damaged, or holds another network or backbone.
    """
    model, meta = load_model(file)
    require_same_network(file, meta, config)
    return place(model, runtime)


def place(model: Network, runtime: Runtime) -> Network:
    """Moves the network to the device, in the memory layout that trains fastest."""
    return model.to(runtime.device).to(memory_format=torch.channels_last)


def network_meta(
    config: TrainingConfig, model: Network, *, stage: str, step: int
) -> dict[str, Any]:
    """What a checkpoint says about itself: network, preprocessing, origin."""
    return {
        "network": type(model).__name__,
        "backbone": config.backbone,
        "num_identities": model.num_identities,
        "num_frames": config.num_frames,
        "test_frames": config.test_frames,
        "img_h": config.img_h,
        "img_w": config.img_w,
        "flip": config.flip,
        "stage": stage,
        "step": step,
        "dataset": config.dataset,
        "trial": config.trial,
        "seed": config.seed,
    }
