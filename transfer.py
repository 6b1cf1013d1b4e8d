"""Copies between the host and a device that the host does not wait for."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """Copies a tensor of the host to a device while the device does what it has to do.

    A CUDA device fetches pinned memory in its own time; a plain ``to`` of any other memory makes
    the host wait until all that was asked of the device before is done.

    Args:
        values: any; on the device already, it is returned.
        device: where it is wanted.
    """
    if values.device.type == "cpu" and device.type == "cuda":
        return _pinned(values).to(device, non_blocking=True)
    return values.to(device)


def _pinned(values: Tensor) -> Tensor:
    return values.pin_memory() if torch.cuda.is_available() else values


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
