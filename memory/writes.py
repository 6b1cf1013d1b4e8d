"""What a training step read from memories and has yet to write into them."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Writable(Protocol):
    """A memory of cluster prototypes."""

    prototypes: Tensor

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Moves the prototypes towards ``features`` [B, D] of the clusters ``labels`` [B]."""


class PendingWrites:
    """Collects the writes of a step, so that none comes before the backward pass of its reads.

    Attributes:
        only_if: bool on the device, whether the step counts; if not, the memories stay as they are.
            None writes always.
    """

    def __init__(self) -> None:
        self.only_if: Tensor | None = None
        self._pending: list[tuple[Writable, Tensor, Tensor]] = []

    def later(self, memory: Writable, features: Tensor, labels: Tensor) -> None:
        """Takes note of features [B, D] and labels [B] for ``memory``."""
        self._pending.append((memory, features.detach(), labels))

    def write(self) -> None:
        """Writes what was noted, in that order, and forgets it."""
        pending, self._pending = self._pending, []
        for memory, features, labels in pending:
            if self.only_if is None:
                memory.update(features, labels)
                continue
            before = memory.prototypes.clone()
            memory.update(features, labels)
            memory.prototypes.copy_(torch.where(self.only_if, memory.prototypes, before))
