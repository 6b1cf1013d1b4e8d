"""How many bytes tensors take at one time, counted on tensors that take none."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .freed_memory import HEAP_BLOCK

# Blocks that are not given back to the system as they are freed lie in a heap with holes. Measured:
# 0.15 to 0.6 of what they take at their peak comes on top, and more where a batch is computed in
# parts, which come and go.
HEAP_HOLES = 0.35
HEAP_HOLES_OF_PARTS = 0.6


class LiveBytes(TorchDispatchMode):
    """Counts the storages of fake tensors while they live.

    Attributes:
        now: bytes of those that live.
        peak: the most so far.
        small_peak: the most so far in storages that the C library keeps in its heap.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.small_peak = self._small = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            self.count(value)
        return result

    def count(self, value: object) -> None:
        """Adds the storage of a fake tensor, unless it is known."""
        if not isinstance(value, FakeTensor):
            return
        storage = value.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes()
        small = size if size < HEAP_BLOCK else 0

        def gone(_: object) -> None:
            self.now -= size
            self._small -= small
            self._known.pop(key, None)

        self._known[key] = weakref.ref(storage, gone)
        self.now += size
        self._small += small
        self.peak = max(self.peak, self.now)
        self.small_peak = max(self.small_peak, self._small)

    def taken(self, device: torch.device, *, in_parts: bool = False) -> int:
        """The peak as a process feels it: on a CPU with the holes of its heap.

        Args:
            device: where the tensors would lie.
            in_parts: whether this is one of several parts of a batch.
        """
        if device.type != "cpu":
            return self.peak
        return self.peak + int((HEAP_HOLES_OF_PARTS if in_parts else HEAP_HOLES) * self.small_peak)
