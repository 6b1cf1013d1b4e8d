"""Builds the network that the settings ask for, and describes it for its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..models import M3ReID
from .checkpoint import load_model
from .config import TrainingConfig
from .errors import UserError
from .runtime import Runtime


def build_network(config: TrainingConfig, runtime: Runtime, num_identities: int = 0) -> M3ReID:
    """M3-ReID on the device, in the memory layout that trains fastest.

    Args:
        config: backbone and weights; a ``.safetensors`` file of ours as weights gives the whole
            network, anything else the backbone alone.
        runtime: device.
        num_identities: outputs of the classifiers; 0 = none.

    Raises:
        UserError: the weights cannot be had or do not fit.
    """
    torch.manual_seed(config.seed)
    weights = None if config.weights == "none" else config.weights
    if weights is not None and weights.endswith(".safetensors"):
        model, meta = load_model(Path(weights))
        if meta["backbone"] != config.backbone:
            raise UserError(
                f"{weights} holds a {meta['backbone']}, but --backbone is {config.backbone}"
            )
        model.set_num_identities(num_identities)
    else:
        try:
            model = M3ReID(
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


def place(model: M3ReID, runtime: Runtime) -> M3ReID:
    """Moves the network to the device, in the memory layout that trains fastest."""
    return model.to(runtime.device).to(memory_format=torch.channels_last)


def network_meta(config: TrainingConfig, model: M3ReID, *, stage: str, step: int) -> dict[str, Any]:
    """What a checkpoint says about itself: network, preprocessing, origin."""
    return {
        "network": "M3ReID",
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
        "seed": config.seed,
    }
