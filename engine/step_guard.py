"""Steps of fp16 that are left out because a loss is not finite."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

IN_A_ROW = 5


class StepGuard:
    """Takes a step back whose forward pass left the range of fp16.

    Its activations have spoilt the running statistics of batch norm, so these are put back; what
    the step noted for the memories is forgotten.

    Args:
        model: whose buffers are kept.
        forget: drops what a stage noted for after the step.

    Attributes:
        in_a_row: steps left out since the last one that went well.
    """

    def __init__(self, model: nn.Module, forget: Callable[[], None]) -> None:
        self._buffers = list(model.buffers())
        self._kept = [buffer.clone() for buffer in self._buffers]
        self._forget = forget
        self.in_a_row = 0

    def before_step(self) -> None:
        """Keeps the statistics as they are."""
        with torch.no_grad():
            for kept, buffer in zip(self._kept, self._buffers):
                kept.copy_(buffer)

    def leave_out(self) -> bool:
        """Takes the step back; False if too many in a row are not finite, which is no accident."""
        with torch.no_grad():
            for kept, buffer in zip(self._kept, self._buffers):
                buffer.copy_(kept)
        self._forget()
        self.in_a_row += 1
        return self.in_a_row <= IN_A_ROW
