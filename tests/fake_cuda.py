"""A CUDA device that is not there, on which a forward pass can be watched.

Fake tensors have shape, type and device and no memory. They refuse an operation over tensors of two
devices, so that one left on the CPU is found; and what waits for the device is found beside it: a
value read by the host, a shape that depends on values, a copy between host and device. Nothing is
computed on the device, and backward passes do not run. What lies on the host is real: labels and
modalities keep their values, and a shape may depend on them.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    FakeCopyMode,
    FakeTensor,
    FakeTensorMode,
    unset_fake_temporarily,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Module = TypeVar("Module", bound=nn.Module)
CUDA = torch.device("cuda", 0)
# By the name of the operation: what reads a value or makes a shape from values on any device.
WAITING = frozenset(
    (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "_unique",
        "_unique2",
        "unique_dim",
        "unique_consecutive",
        "bincount",
        "histc",
        "equal",
    )
)


class Synchronisation(AssertionError):
    """An operation would make the host wait for the device."""


class DeviceWatch(TorchDispatchMode):
    """Refuses, or counts, what waits for a CUDA device.

    Args:
        allowed: names of operations that may wait, each once for each time it is named;
            ``to cpu``, ``to cpu, later`` and ``to cuda`` are copies.
        count: only note down what waits.

    Attributes:
        waits: names of what waited and was not refused.
    """

    def __init__(self, allowed: tuple[str, ...] = (), *, count: bool = False) -> None:
        super().__init__()
        self.left = list(allowed)
        self.count = count
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _on_host(func, args, kwargs):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        for wait in _waits(func, args, kwargs):
            if wait in self.left:
                self.left.remove(wait)
            elif not self.count:
                raise Synchronisation(f"{func}: {wait}")
            self.waits.append(wait)
        return func(*args, **kwargs)


def _on_host(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether an operation neither takes something of the device nor gives it."""
    device = kwargs.get("device")
    if device is not None and torch.device(device).type == "cuda":
        return False
    return not any(isinstance(leaf, FakeTensor) for leaf in tree_leaves((args, kwargs)))


def _waits(func: Any, args: Any, kwargs: Any) -> Iterator[str]:
    """Names of the ways in which an operation waits."""
    name = func._schema.name.partition("::")[2]
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    on_cuda = any(tensor.is_cuda for tensor in given)
    if name in WAITING and on_cuda:
        yield name
    if name in ("repeat_interleave",) and on_cuda and kwargs.get("output_size") is None:
        yield name
    if name.startswith("index") and len(args) > 1 and isinstance(args[1], (list, tuple)):
        indices = [leaf for leaf in args[1] if isinstance(leaf, Tensor)]
        if args[0].is_cuda:
            if any(leaf.dtype in (torch.bool, torch.uint8) for leaf in indices):
                yield "boolean mask"
            if any(not leaf.is_cuda for leaf in indices):
                yield "to cuda"
    yield from _copies(name, args, kwargs)


def _copies(name: str, args: Any, kwargs: Any) -> Iterator[str]:
    """``to cpu`` and ``to cuda`` for each copy that the host waits for, ``to cpu, later`` for one
    that it may wait for when it reads the values.
    """
    if name in ("_to_copy", "to") and kwargs.get("device") is not None:
        source, target = args[0].device, torch.device(kwargs["device"])
    elif name == "copy_":
        source, target = args[1].device, args[0].device
    else:
        return
    blocking = not (kwargs.get("non_blocking") or (name == "copy_" and args[2:] == (True,)))
    if source.type == "cuda" and target.type == "cpu":
        yield "to cpu" if blocking else "to cpu, later"
    elif source.type == "cpu" and target.type == "cuda" and blocking:
        yield "to cuda"


class FakeDevice:
    """Networks, tensors and forward passes on a CUDA device without memory and without values."""

    def __init__(self) -> None:
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)

    def put(self, module: Module) -> Module:
        """A copy of a module, made outside, whose parameters and buffers are on the device."""
        with unset_fake_temporarily(), FakeCopyMode(self.mode):
            copied = copy.deepcopy(module)
        with self.mode:
            for part in copied.modules():
                for name, old in part.named_parameters(recurse=False):
                    new = nn.Parameter(torch.empty_like(old, device=CUDA), old.requires_grad)
                    part.register_parameter(name, new)
                for name, old in part.named_buffers(recurse=False):
                    setattr(part, name, torch.empty_like(old, device=CUDA))
        return copied

    def tensor(self, values: Any, dtype: torch.dtype | None = None) -> Tensor:
        """Something like these values on the device, without a copy being noticed."""
        with unset_fake_temporarily():
            real = torch.as_tensor(values, dtype=dtype)
        with self.mode:
            return torch.empty(real.shape, dtype=real.dtype, device=CUDA)

    @contextlib.contextmanager
    def watched(self, *allowed: str, count: bool = False) -> Iterator[DeviceWatch]:
        """Everything inside runs on fake tensors; what waits for the device fails.

        Args:
            allowed, count: as for :class:`DeviceWatch`.
        """
        with self.mode, DeviceWatch(allowed, count=count) as watch:
            yield watch


class FakeGenerator(torch.Generator):
    """Random numbers of the device, which have no values either."""

    device = CUDA


def assert_on_cuda(values: Any) -> None:
    """Fails where a tensor of a nest of values is not on the device."""
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    assert tensors, "there is no tensor to look at"
    for tensor in tensors:
        assert isinstance(tensor, FakeTensor)
        assert tensor.device == CUDA, (
            f"a tensor of shape {tuple(tensor.shape)} is on {tensor.device}"
        )
