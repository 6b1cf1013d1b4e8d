"""Steps of fp16 that are left out because a loss is not finite."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..memory.writes import PendingWrites

IN_A_ROW = 5


class StepGuard:
    """Takes a step back whose forward pass left the range of fp16, on the device, unasked.

    Only the device knows whether a loss is finite, so it decides by itself: the scaler leaves the
    optimiser's step out, because gradients are made NaN; the running statistics of batch norm,
    which the activations have spoilt, are put back; memories are not written. The host hears of it
    later, and stops after too many.

    Args:
        model: whose buffers are kept.
        writes: what the memories take in after a step.

    Attributes:
        in_a_row: steps left out since the last one that went well, as far as the host knows.
    """

    def __init__(self, model: nn.Module, writes: PendingWrites) -> None:
        self._buffers = list(model.buffers())
        self._kept = [buffer.clone() for buffer in self._buffers]
        self._writes = writes
        self._counts: Tensor | None = None
        self.in_a_row = 0

    def before_step(self) -> None:
        """Keeps the statistics as they are."""
        if self._buffers:
            torch._foreach_copy_(self._kept, self._buffers)

    def judge(self, loss: Tensor) -> Tensor:
        """Notes on the device whether the step counts.

        Args:
            loss: sum of the terms, scalar.

        Returns:
            The loss; gradients of one that is not finite are NaN, whatever its terms are.
        """
        self._counts = self._writes.only_if = torch.isfinite(loss.detach())
        return loss * torch.where(self._counts, 1.0, math.nan)

    def counted(self, value: Tensor) -> Tensor:
        """A value of the step; 0 if the step does not count."""
        assert self._counts is not None
        return torch.where(self._counts, value, 0.0)

    @torch.no_grad()
    def after_step(self) -> None:
        """Puts the statistics back if the step does not count."""
        assert self._counts is not None
        for kept, buffer in zip(self._kept, self._buffers):
            buffer.copy_(torch.where(self._counts, buffer, kept))

    def heard(self, finite: bool) -> bool:
        """Takes note of how a step ended; False if too many in a row did not count."""
        self.in_a_row = 0 if finite else self.in_a_row + 1
        return self.in_a_row <= IN_A_ROW
