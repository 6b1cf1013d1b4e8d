"""Writing and reading checkpoints; reading never executes pickled code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, safe_open, save_file

from ..models import M3ReID
from .errors import UserError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors and plain values beside ``path`` and renames."""
    beside = path.with_name(path.name + ".part")
    torch.save(state, beside)
    beside.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads what :func:`save_checkpoint` wrote, tensors on the CPU.

    Raises:
        UserError: the file is missing or is no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}; start without --resume") from None
    except Exception as error:
        raise UserError(f"{path} is not a readable checkpoint: {error}") from error
    return dict(state)


def save_model(path: Path, model: M3ReID, meta: dict[str, Any]) -> None:
    """Writes the network as safetensors with what is needed to use it again.

    Args:
        path: file, ``.safetensors``.
        model: network; its classifiers are left out when it has none.
        meta: JSON-able facts: backbone, frames, image size, stage, data set, scores.
    """
    beside = path.with_name(path.name + ".part")
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, beside, metadata={"vireid": json.dumps(meta)})
    beside.replace(path)


def read_meta(path: Path) -> dict[str, Any]:
    """The facts that :func:`save_model` stored with the weights.

    Raises:
        UserError: the file is missing or was not written by this toolkit.
    """
    if not path.exists():
        raise UserError(f"no model file at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except Exception as error:
        raise UserError(f"{path} is not a safetensors file: {error}") from error
    if "vireid" not in metadata:
        raise UserError(f"{path} holds weights but not the facts that vireid stores beside them")
    return dict(json.loads(metadata["vireid"]))


def load_model(path: Path) -> tuple[M3ReID, dict[str, Any]]:
    """Builds the network that :func:`save_model` wrote; classifiers included.

    Raises:
        UserError: the file is missing, foreign, or does not fit the network it names.
    """
    meta = read_meta(path)
    model = M3ReID(
        int(meta["num_identities"]), num_frames=int(meta["num_frames"]), backbone=meta["backbone"]
    )
    try:
        model.load_state_dict(load_file(path))
    except RuntimeError as error:
        raise UserError(f"{path} does not fit the network that it names: {error}") from error
    return model, meta
