"""What a training step read from memories and has yet to write into them."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Writable(Protocol):
    """A memory of cluster prototypes."""

    def update(self, features: Tensor, labels: Tensor) -> None:
        """Moves the prototypes towards ``features`` [B, D] of the clusters ``labels`` [B]."""


class PendingWrites:
    """Collects the writes of a step, so that none comes before the backward pass of its reads."""

    def __init__(self) -> None:
        self._pending: list[tuple[Writable, Tensor, Tensor]] = []

    def later(self, memory: Writable, features: Tensor, labels: Tensor) -> None:
        """Takes note of features [B, D] and labels [B] for ``memory``."""
        self._pending.append((memory, features.detach(), labels))

    def forget(self) -> None:
        """Drops what was noted, of a step that is left out."""
        self._pending = []

    def write(self) -> None:
        """Writes what was noted, in that order, and forgets it."""
        pending, self._pending = self._pending, []
        for memory, features, labels in pending:
            memory.update(features, labels)
