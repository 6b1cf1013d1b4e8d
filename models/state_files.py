"""Reading and matching state dictionaries: weights only, and everything that differs is named."""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from ..errors import first_line
from ..reading import check_regular, visible

# Keys under which training scripts store a network's state beside epoch, optimiser and scores.
WRAPPERS = ("state_dict", "net", "model", "model_state_dict", "network")
# Types that weights and features have, by their names in the header of a .safetensors file.
TYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8},
    **{"U8": torch.uint8, "BOOL": torch.bool},
}
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
    if content and all(str(key).startswith("module.") for key in content):
        content = {key.removeprefix("module."): value for key, value in content.items()}
    strange = [
        visible(str(key))[:80]
        for key, value in content.items()
        if not (isinstance(key, str) and isinstance(value, Tensor))
    ]
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
    if path.suffix == ".safetensors":
        return read_tensors(path)[0]
    try:
        content = load_plain(path)
    except ValueError as error:
        raise ValueError(
            f"{path} is not a file of plain tensors that can be read without running code from "
            f"it: {error}. Where you trust it, load it yourself with "
            "torch.load(path, weights_only=False) and pass the state_dict, or save that again."
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"expected a state_dict in {path}, found a {type(content).__name__}")
    return content


def load_plain(path: Path) -> Any:
    """What ``torch.save`` wrote, as far as it is plain values and tensors; nothing in it runs.

    Args:
        path: the file.

    Returns:
        The content, tensors on the CPU.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, holds code, or would grow in memory beyond its size on disk.
    """
    size = check_regular(path)
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                grown = sum(entry.file_size for entry in archive.infolist())
            if grown > size:  # torch.save stores its entries as they are
                raise ValueError(f"its entries grow from {size:,} to {grown:,} bytes")
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # Bytes that are no checkpoint make the readers fail in many ways, some of them at length.
        reason = first_line(error).split(". ")[0]
        raise ValueError(visible(reason)) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors of a ``.safetensors`` file and the text that it holds beside them.

    Args:
        path: the file.

    Returns:
        Names and tensors on the CPU; names and texts.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged; names the file.
    """
    with _opened(path) as file:
        return load_file(path), dict(file.metadata() or {})


def read_header(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """As :func:`read_tensors`, but the tensors have names, shapes and types only, no content.

    Args:
        path: the file.

    Returns:
        Names and tensors of the device ``meta``; names and texts.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged; names the file.
    """
    with _opened(path) as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: (part.get_shape(), TYPES[part.get_dtype()]) for name, part in parts.items()}
        empty = {n: torch.empty(s, dtype=t, device="meta") for n, (s, t) in shapes.items()}
        return empty, dict(file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A ``.safetensors`` file to read from; whatever fails inside, the file is damaged."""
    check_regular(path)
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except OSError:
        raise
    except Exception as error:  # of the header, of a type that torch has not, of memory
        raise ValueError(f"{path} is damaged: {visible(first_line(error))}") from error


def check_finite(state: Mapping[str, Tensor], what: str) -> None:
    """Refuses numbers that no training leaves behind.

    Args:
        state: names and tensors.
        what: the file, for the message.

    Raises:
        ValueError: a tensor holds NaN or infinite numbers.
    """
    broken = [
        name
        for name, tensor in state.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if broken:
        raise ValueError(f"{what} holds numbers that are not finite: {_names(broken)}")


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
        ValueError: something is missing, unexpected or of another shape or type; it is named.
    """
    missing = [key for key in expected if key not in found and key not in optional]
    unexpected = [key for key in found if key not in expected]
    shapes = [
        f"{key} is {list(found[key].shape)}, not {list(tensor.shape)}"
        for key, tensor in expected.items()
        if key in found and found[key].shape != tensor.shape
    ]
    types = [
        f"{key} is {found[key].dtype}, not {tensor.dtype}"
        for key, tensor in expected.items()
        if key in found and found[key].is_floating_point() != tensor.is_floating_point()
    ]
    faults = [
        f"{len(names)} {kind}: {_names(names)}"
        for kind, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
            ("of another type", types),
        )
        if names
    ]
    if faults:
        raise ValueError(f"this is not {layout}: {'; '.join(faults)}")


def _names(names: Iterable[str]) -> str:
    listed = [str(name) for name in names]
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
