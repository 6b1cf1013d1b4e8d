"""Writing and reading checkpoints; reading never executes pickled code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, safe_open, save

from ..distributed import ranks
from ..errors import UserError
from ..files import write_whole
from ..models.network import Network, network_named
from ..models.state_files import check_state

CHECKPOINT_KEYS = (
    *("stage", "epoch", "step", "stage_step", "tracks"),
    *("model", "optimiser", "stage_state", "metrics_size"),
)
AFRESH = "Without this file, --resume trains from the beginning."
WANTED = "Wanted is the model.safetensors or encoder.safetensors of a finished run, or its folder."


def save_tensors(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors and plain values beside ``path``, for ``torch.load``, and renames.

    Raises:
        OSError: it cannot be written.
    """

    def write(beside: Path) -> None:
        # torch's own way to open a file hides why the system refused to write.
        with beside.open("wb") as file:
            torch.save(state, file)

    write_whole(path, write)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Reads what :func:`save_tensors` wrote, tensors on the CPU.

    Raises:
        UserError: the file is missing, damaged, or not the checkpoint of a run.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}; start without --resume") from None
    except Exception as error:
        # Damaged bytes make the reader fail in many ways, some of them at length.
        reason = (str(error).splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise UserError(f"{path} is not a readable checkpoint ({reason}). {AFRESH}") from error
    if not isinstance(state, dict) or not set(CHECKPOINT_KEYS) <= set(state):
        expected = ", ".join(CHECKPOINT_KEYS)
        raise UserError(f"{path} is not a checkpoint of a run: expected {expected}. {AFRESH}")
    return state


def save_model(path: Path, model: Network, meta: dict[str, Any]) -> None:
    """Writes the network as safetensors with what is needed to use it again.

    ``meta`` holds JSON-able facts: backbone, frames, image size, stage, data set, scores. Of
    several processes the main one writes.
    """
    if not ranks.is_main():
        return
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    write_whole(path, save(tensors, metadata={"vireid": json.dumps(meta)}))


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
        raise UserError(f"{path} is not a readable safetensors file ({error}). {WANTED}") from error
    if "vireid" not in metadata:
        raise UserError(
            f"{path} was not written as a network by vireid: it does not say which network its "
            f"weights belong to. {WANTED}"
        )
    return dict(json.loads(metadata["vireid"]))


def load_model(path: Path) -> tuple[Network, dict[str, Any]]:
    """Builds the network that :func:`save_model` wrote; classifiers included.

    Raises:
        UserError: the file is missing, foreign, or does not fit the network it names.
    """
    meta = read_meta(path)
    try:
        model = network_named(meta["network"]).build(
            int(meta["num_identities"]),
            num_frames=int(meta["num_frames"]),
            weights=None,
            backbone=meta["backbone"],
        )
        state = load_file(path)
        check_state(
            state,
            model.state_dict(),
            layout=f"a {meta['backbone']} {type(model).__name__}, as now built",
        )
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} does not fit the network that it names ({error}). It was written by another "
            "version of vireid: train again, or use that version."
        ) from error
    model.load_state_dict(state)
    return model, meta


def find_model(path: Path) -> Path:
    """The model file of ``path``, which is one or is a finished run folder.

    Raises:
        UserError: there is none.
    """
    if path.is_file():
        return path
    for name in ("model.safetensors", "encoder.safetensors"):
        if (path / name).is_file():
            return path / name
    raise UserError(
        f"no trained network at {path}: wanted a .safetensors file, or a run folder with "
        "model.safetensors (stage two) or encoder.safetensors (stage one). "
        "An unfinished run goes on with --resume."
    )
