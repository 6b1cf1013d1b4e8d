"""What the tests of the networks share: published vectors and the deterministic fill."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

CONFORMANCE = Path(__file__).parents[1] / "conformance"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Reads a conformance file by its name."""

    def read(name: str) -> Any:
        path = CONFORMANCE / name
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        with np.load(path, allow_pickle=False) as file:
            return dict(file)

    return read


def _uniform(count: int, n: int, key: int) -> np.ndarray:
    """Uniform numbers in [-0.5, 0.5) from a 64-bit mix of element, tensor and key."""
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(n) * np.uint64(0xD1B54A32D192ED03)
        z += np.uint64(key) * np.uint64(0x8CB92BA72F3D8DD7)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) / 2**24 - 0.5


def _filled(name: str, shape: Sequence[int], n: int, key: int, neck: str) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    u = _uniform(math.prod(shape), n, key).reshape(shape)
    if name.endswith("running_mean"):
        u = 0.1 * u + (1.5 if name.startswith(neck) else 0)
    elif name.endswith("running_var"):
        u = 1 + 0.1 * np.abs(u)
    elif len(shape) >= 2:
        u = u * math.sqrt(14 / math.prod(shape[1:]))
        u *= 0.2 if ".theta." in name or ".phi." in name else 1
        u *= 0.3 if name.endswith(".W.0.weight") else 1
    else:
        u = (1 if name.endswith("weight") else 0) + 0.1 * u
    return torch.from_numpy(u.astype(np.float32))


@pytest.fixture(scope="session")
def fill_state() -> Callable[[Mapping[str, Sequence[int]], int, str], dict[str, Tensor]]:
    """Fills a state with the deterministic numbers of the vectors, by published names."""

    def fill(shapes: Mapping[str, Sequence[int]], key: int, neck: str) -> dict[str, Tensor]:
        return {
            name: _filled(name, shapes[name], n, key, neck) for n, name in enumerate(sorted(shapes))
        }

    return fill


@pytest.fixture(scope="session")
def fill_input() -> Callable[[Sequence[int], int], Tensor]:
    """Builds the deterministic clip or image batch of the vectors."""

    def fill(shape: Sequence[int], key: int) -> Tensor:
        shape = tuple(int(size) for size in shape)
        fine = _uniform(math.prod(shape), 0, key).reshape(shape)
        grid = (*shape[:-2], shape[-2] // 8, shape[-1] // 8)
        coarse = _uniform(math.prod(grid), 1, key).reshape(grid).repeat(8, -1).repeat(8, -2)
        return torch.from_numpy((4 * coarse + 2 * fine).astype(np.float32))

    return fill
