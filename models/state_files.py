"""Reading and matching state dictionaries: weights only, and everything that differs is named."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

# Keys under which training scripts store a network's state beside epoch, optimiser and scores.
WRAPPERS = ("state_dict", "net", "model", "model_state_dict", "network")
_NAMED = 8


def read_state_dict(source: Mapping[str, Any] | str | Path) -> dict[str, Tensor]:
    """Reads the state of a network without ever running pickled code.

    Args:
        source: a state dictionary, or a file of one (``.safetensors``, or what ``torch.save``
            wrote). A dictionary that holds the state under ``state_dict``, ``net``, ``model``,
            ``model_state_dict`` or ``network`` is unwrapped, and the prefix ``module.`` of a
            data-parallel network is taken off.

    Returns:
        Names and tensors, on the CPU if read from a file.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: the file or the dictionary is not a state of tensors.
    """
    if isinstance(source, Mapping):
        where, content = "the given dictionary", source
    else:
        where, content = str(source), _read_file(Path(source))
    for name in WRAPPERS:
        if isinstance(content.get(name), Mapping):
            content = content[name]
            break
    if content and all(key.startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    strange = [key for key, value in content.items() if not isinstance(value, Tensor)]
    if strange or not content:
        found = f"entries that are not tensors: {_names(strange)}" if strange else "nothing"
        raise ValueError(
            f"expected a network's state (names and tensors) in {where}, found {found}; give the "
            f"state_dict itself, or a dictionary that holds it under one of {', '.join(WRAPPERS)}"
        )
    return dict(content)


def _read_file(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"expected a checkpoint file at {path}, found none")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # Bytes that are no checkpoint make either reader fail in many ways.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{path} is not a file of plain tensors that can be read without running code from "
            f"it: {reason}. Where you trust it, load it yourself with "
            "torch.load(path, weights_only=False) and pass the state_dict, or save that again."
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"expected a state_dict in {path}, found a {type(content).__name__}")
    return content


def check_state(
    found: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    *,
    layout: str,
    optional: Collection[str] = (),
) -> None:
    """Compares names and shapes with what a layout holds.

    Args:
        found, expected: the state at hand, and the one that the layout asks for.
        layout: what is being read, for the message.
        optional: names that may be missing.

    Raises:
        ValueError: something is missing, unexpected or of another shape; the message names it.
    """
    missing = [key for key in expected if key not in found and key not in optional]
    unexpected = [key for key in found if key not in expected]
    shapes = [
        f"{key} is {list(found[key].shape)}, not {list(tensor.shape)}"
        for key, tensor in expected.items()
        if key in found and found[key].shape != tensor.shape
    ]
    faults = [
        f"{len(names)} {kind}: {_names(names)}"
        for kind, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    if faults:
        raise ValueError(f"this is not {layout}: {'; '.join(faults)}")


def _names(names: Iterable[str]) -> str:
    listed = [str(name) for name in names]
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
