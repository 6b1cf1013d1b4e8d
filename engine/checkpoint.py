"""Writing and reading checkpoints; reading never executes pickled code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from ..distributed import ranks
from ..errors import UserError
from ..files import write_whole
from ..models.network import Network, network_named
from ..models.state_files import (
    check_finite,
    check_state,
    load_plain,
    read_header,
    read_tensors,
)
from ..reading import parse_json, shortened
from .checkpoint_fit import check_revision
from .model_facts import check_facts

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
        state = load_plain(path)
    except FileNotFoundError:
        raise UserError(f"no checkpoint at {path}; start without --resume") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {AFRESH}") from error
    except ValueError as error:
        raise UserError(f"{path} is not a readable checkpoint ({error}). {AFRESH}") from error
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
    facts = {**meta, "revision": model.revision}
    write_whole(path, save(tensors, metadata={"vireid": json.dumps(facts)}))


def read_meta(path: Path) -> dict[str, Any]:
    """The facts that :func:`save_model` stored with the weights.

    Raises:
        UserError: the file is missing or was not written by this toolkit.
    """
    return _described(path)[1]


def _described(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Names and shapes of the stored tensors, and the facts."""
    try:
        layout, metadata = read_header(path)
    except FileNotFoundError:
        raise UserError(f"no model file at {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}). {WANTED}") from error
    except ValueError as error:
        raise UserError(f"{path} is not a readable safetensors file ({error}). {WANTED}") from error
    if "vireid" not in metadata:
        raise UserError(
            f"{path} was not written as a network by vireid: it does not say which network its "
            f"weights belong to. {WANTED}"
        )
    try:
        return layout, check_facts(parse_json(metadata["vireid"]))
    except ValueError as error:
        raise UserError(
            f"{path} does not say rightly which network its weights belong to ({error}). {WANTED}"
        ) from error


def holds_network(path: Path) -> bool:
    """Whether a ``.safetensors`` file says of itself that :func:`save_model` wrote it.

    Of a file that cannot be read it is taken for granted, so that reading it says what is wrong.
    """
    try:
        return "vireid" in read_header(path)[1]
    except (OSError, ValueError):
        return True


def load_model(path: Path) -> tuple[Network, dict[str, Any]]:
    """Builds the network that :func:`save_model` wrote; classifiers included.

    Raises:
        UserError: the file is missing, foreign, or does not fit the network it names.
    """
    stored, meta = _described(path)

    def build() -> Network:
        return network_named(meta["network"]).build(
            meta["num_identities"],
            num_frames=meta["num_frames"],
            weights=None,
            backbone=meta["backbone"],
        )

    try:
        # Without memory first: the facts may ask for a network that no memory holds.
        with torch.device("meta"):
            expected = build().state_dict()
        layout = f"a {shortened(meta['backbone'])} {shortened(meta['network'])}, as now built"
        check_state(stored, expected, layout=layout)
        state = read_tensors(path)[0]
        check_finite(state, "it")
        model = build()
        check_revision(meta, model)
    except (OSError, ValueError, RuntimeError, OverflowError) as error:
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
