"""The deterministic numbers of the vectors: states, images and clips, checksums."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


def uniform(count: int, n: int, key: int) -> np.ndarray:
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
    u = uniform(math.prod(shape), n, key).reshape(shape)
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


def fill_state(shapes: Mapping[str, Sequence[int]], key: int, neck: str) -> dict[str, Tensor]:
    """Fills a state with float32 numbers, by published names; ``neck`` begins those of the neck."""
    return {
        name: _filled(name, shapes[name], n, key, neck) for n, name in enumerate(sorted(shapes))
    }


def fill_input(shape: Sequence[int], key: int) -> Tensor:
    """A clip or a batch of images [..., H, W], float32; H and W are multiples of 8."""
    shape = tuple(int(size) for size in shape)
    fine = uniform(math.prod(shape), 0, key).reshape(shape)
    grid = (*shape[:-2], shape[-2] // 8, shape[-1] // 8)
    coarse = uniform(math.prod(grid), 1, key).reshape(grid).repeat(8, -1).repeat(8, -2)
    return torch.from_numpy((4 * coarse + 2 * fine).astype(np.float32))


def checksums(state: Mapping[str, Tensor], key: int) -> dict[str, float]:
    """Dot product of each tensor's values, row by row, with the numbers of its place by name."""
    return {
        name: float(
            state[name].detach().double().flatten().numpy() @ uniform(state[name].numel(), n, key)
        )
        for n, name in enumerate(sorted(state))
    }
