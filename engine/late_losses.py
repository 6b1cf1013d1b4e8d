"""The losses of a step, read while the next one is computed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..distributed import ranks
from ..errors import UserError
from ..transfers import OnItsWay
from .checkpoint import save_tensors
from .step_guard import StepGuard


class NonFiniteLoss(UserError):
    """A loss term became infinite or NaN; the batch that did it was saved."""


@dataclass(frozen=True)
class _Step:
    """A step whose losses the host does not know yet, and the batch that would be saved."""

    clips: Tensor
    index: Tensor
    number: int
    names: list[str]
    values: OnItsWay


class LateLosses:
    """Reads the losses of a step when the next one has been handed to the device.

    Reading is waiting, and a device that is waited for has nothing to do next. So a loss that is
    not finite is found one step late, and its batch is kept until then.

    Args:
        where: stage and epoch, for messages.
        folder: of the run, where a batch is saved.
        guard: in fp16, what takes back a step whose loss is not finite; without, it stops the run.
        say: takes a line for the log.

    Attributes:
        last: loss of the last step that is known; None before the first.
        left_out: steps that were taken back.
    """

    def __init__(
        self, where: str, folder: Path, guard: StepGuard | None, say: Callable[[str], None]
    ) -> None:
        self.where = where
        self.folder = folder
        self.guard = guard
        self.say = say
        self.last: float | None = None
        self.left_out = 0
        self._unread: _Step | None = None

    def note(
        self, clips: Tensor, index: Tensor, number: int, losses: dict[str, Tensor], total: Tensor
    ) -> None:
        """Takes note of a step, and reads the losses of the one before.

        Args:
            clips, index: its batch.
            number: batch of the epoch, from 1.
            losses: its terms, scalars.
            total: their sum.

        Raises:
            NonFiniteLoss: the step before had a term that is not finite.
        """
        terms = [value.detach().to(total.dtype) for value in losses.values()]
        values = OnItsWay(torch.stack([*terms, total.detach()]))
        before, self._unread = self._unread, _Step(clips, index, number, list(losses), values)
        self._read(before)

    def settle(self) -> None:
        """Reads what is still unread; the host waits.

        Raises:
            NonFiniteLoss: the last step had a term that is not finite.
        """
        before, self._unread = self._unread, None
        self._read(before)

    def _read(self, step: _Step | None) -> None:
        if step is None:
            return
        *terms, self.last = step.values.arrived().tolist()
        finite = math.isfinite(self.last)
        may_go_on = finite if self.guard is None else self.guard.heard(finite)
        if finite:
            return
        broken = [name for name, value in zip(step.names, terms) if not math.isfinite(value)]
        fault = f"the loss {', '.join(broken) or 'that sums up all terms'} is not finite"
        if not may_go_on:
            self._stop(step, broken, fault)
        self.left_out += 1
        self.say(f"{self.where}: step {step.number} left out, {fault} in fp16")

    def _stop(self, step: _Step, broken: list[str], fault: str) -> None:
        saved = self.folder / "non_finite_batch.pt"
        if ranks.is_main():  # the others hold the same, and would write into the same file
            state = {"clips": step.clips.cpu(), "index": step.index.cpu(), "terms": broken}
            save_tensors(saved, state)
        raise NonFiniteLoss(
            f"{self.where}, step {step.number}: {fault}. The batch is in {saved}. Lower --lr or "
            "use --precision fp32."
        )
