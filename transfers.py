"""What crosses between the host and a device, and rows chosen by what the host knows.

Labels, modalities and cameras are known on the host; features lie on the device that computed them.
A copy to the host waits for all that the device was given before, a copy to the device does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor


def is_host(tensor: Tensor) -> bool:
    """Whether a tensor lies in host memory, where reading a value waits for nothing."""
    return tensor.device.type == "cpu"


def to_host(tensor: Tensor) -> NDArray[Any]:
    """A tensor's values as an array of the host; a tensor on a device is waited for."""
    values: NDArray[Any] = tensor.detach().cpu().numpy()
    return values


def host_array(values: Tensor | ArrayLike) -> NDArray[Any]:
    """Values of any kind as an array of the host; those on a device are waited for."""
    return to_host(values) if isinstance(values, Tensor) else np.asarray(values)


def told(*facts: Tensor) -> list[bool]:
    """Answers to yes-or-no questions, scalar bool tensors of one device, for one wait."""
    answers: list[bool] = to_host(torch.stack(facts)).tolist()
    return answers


def to_device(values: Tensor | ArrayLike, device: torch.device) -> Tensor:
    """Copies values of the host to a device while it does what it has to do; nobody waits.

    A CUDA device fetches pinned memory in its own time; a plain ``to`` of any other memory makes
    the host wait until all that was asked of the device before is done.

    Args:
        values: any; a tensor that is on the device already is returned.
        device: where they are wanted. On the CPU, an array and the tensor share memory.
    """
    if not isinstance(values, Tensor):
        values = torch.from_numpy(np.require(values, requirements=["C", "W"]))
    if values.device.type == "cpu" and device.type == "cuda":
        return _pinned(values).to(device, non_blocking=True)
    return values.to(device)


def _pinned(values: Tensor) -> Tensor:
    return values.pin_memory() if torch.cuda.is_available() else values


def rows_at(rows: Tensor, places: ArrayLike) -> Tensor:
    """Rows by places that the host knows, so that nothing waits to learn how many there are.

    Args:
        rows: ``[N, …]`` on any device.
        places: ``[R]`` integers, or ``[N]`` bool that is true for R rows.

    Returns:
        ``[R, …]``, a copy.
    """
    chosen = np.asarray(places)
    if chosen.dtype == np.bool_:
        chosen = np.flatnonzero(chosen)
    return rows.index_select(0, to_device(chosen.astype(np.int64), rows.device))


def group_sums(rows: Tensor, groups: NDArray[np.integer], count: int) -> Tensor:
    """Sums of the rows of each group, in the order of the rows on every device.

    Args:
        rows: ``[N, D]`` floating point.
        groups: ``[N]``, 0 … count − 1, known on the host.
        count: number of groups.

    Returns:
        ``[count, D]``; zeros for a group without a row.
    """
    sums = rows.new_zeros(count, rows.shape[1])
    place = to_device(groups.astype(np.int64), rows.device)
    if is_host(rows):
        return sums.index_add_(0, place, rows)
    # On a device index_add_ adds in whatever order its threads arrive; this sorts the places first.
    return sums.index_put_((place,), rows, accumulate=True)


def places(mask: Tensor, device: torch.device) -> Tensor:
    """Where a mask holds, as indices on a device.

    To index with a mask on the device, the host has to wait for the number of rows that it leaves.

    Args:
        mask: [N] bool, on the host.
        device: where the indices are wanted.

    Returns:
        [n] int64, ascending.
    """
    return to_device(mask.nonzero().squeeze(1), device)


def constants(values: tuple[float, ...], device: torch.device) -> Tensor:
    """A few numbers on a device, filled in there instead of copied, [n] float32."""
    return torch.stack([torch.full((), value, device=device) for value in values])


class OnItsWay:
    """Values of a device that are copied to the host while both go on.

    Args:
        values: any.
    """

    def __init__(self, values: Tensor) -> None:
        self._there = values.detach().to("cpu", non_blocking=True)
        self._copied = _mark() if values.is_cuda else None

    def arrived(self) -> Tensor:
        """The values on the host, which waits for this copy and for nothing after it."""
        if self._copied is not None:
            self._copied.synchronize()
        return self._there


def _mark() -> torch.cuda.Event:
    """What can be waited for of the present stream: all that was asked of it up to now."""
    event = torch.cuda.Event()
    event.record()
    return event
