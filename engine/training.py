"""One epoch of training: schedule, backward pass, checks, progress, records."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..distributed import ranks
from ..errors import UserError
from ..models.network import Network
from .options import OptimiserOptions
from .peak_memory import memory_text, peak_memory_mib
from .progress import EpochProgress, RunClock
from .run_folder import RunFolder
from .runtime import Runtime

RAMP_STEPS = 30
COSINE_FLOOR = 0.05
SGD_MOMENTUM = 0.9


def make_optimiser(model: Network, options: OptimiserOptions, lr: float) -> torch.optim.Optimizer:
    """A fresh optimiser over the trainable parameters of ``model``.

    With a ``--backbone-rate`` other than 1 the backbone is a group of its own; ``factor`` of a
    group is what multiplies the schedule's rate.
    """
    groups = _parameter_groups(model, options.backbone_rate)
    if options.optimiser == "sgd":
        return torch.optim.SGD(
            groups, lr, SGD_MOMENTUM, weight_decay=options.wd, nesterov=True, fused=True
        )
    kind = torch.optim.AdamW if options.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=lr, weight_decay=options.wd, fused=True)


def _parameter_groups(model: Network, backbone_rate: float) -> list[dict[str, Any]]:
    if backbone_rate == 1:
        return [{"params": [p for p in model.parameters() if p.requires_grad], "factor": 1.0}]
    groups: list[dict[str, Any]] = [{"params": [], "factor": f} for f in (backbone_rate, 1.0)]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[name.startswith(model.head)]["params"].append(parameter)
    return [group for group in groups if group["params"]]


@dataclass(frozen=True)
class Schedule:
    """Learning rate as a function of the step, so that a resumed run needs no state.

    Attributes:
        kind: ``step`` (x0.1 at each of ``milestones``) or ``cosine`` (linear ramp, then a cosine).
        lr: base rate.
        steps: steps of the whole stage.
        milestones: steps at which ``step`` decays.
        ramp: steps in which ``step`` rises linearly to the base rate.
    """

    kind: str
    lr: float
    steps: int
    milestones: tuple[int, ...] = ()
    ramp: int = 0

    def at(self, step: int) -> float:
        """Rate of step ``step``, counted from 0 within the stage."""
        if self.kind == "step":
            rise = (step + 1) / self.ramp if step < self.ramp else 1.0
            return self.lr * rise * 0.1 ** sum(step >= m for m in self.milestones)
        ramp = min(RAMP_STEPS, max(1, self.steps // 5))
        rise = min(1.0, (step + 1) / ramp)
        fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.steps))))
        return self.lr * rise * (COSINE_FLOOR + (1 - COSINE_FLOOR) * fall)


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Attributes:
        stage: name of the stage.
        epoch: epoch within the stage, from 0.
        epochs: epochs of the stage.
        step: steps of the run before this epoch.
        stage_step: steps of the stage before this epoch.
    """

    stage: str
    epoch: int
    epochs: int
    step: int
    stage_step: int


class NonFiniteLoss(UserError):
    """A loss term became infinite or NaN; the batch that did it was saved."""


def _stop_on_non_finite(
    losses: dict[str, Tensor], clips: Tensor, index: Tensor, folder: Path, position: Position
) -> None:
    broken = [name for name, value in losses.items() if not bool(torch.isfinite(value))]
    saved = folder / "non_finite_batch.pt"
    torch.save({"clips": clips.cpu(), "index": index.cpu(), "terms": broken}, saved)
    raise NonFiniteLoss(
        f"{position.stage}, epoch {position.epoch + 1}: the loss {', '.join(broken)} is not "
        f"finite. The batch is in {saved}. Lower --lr or use --precision fp32."
    )


def train_epoch(
    runtime: Runtime,
    run: RunFolder,
    position: Position,
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
    batches: Iterable[tuple[Tensor, Tensor]],
    steps: int,
    losses_of: Callable[[Tensor, Tensor, int], dict[str, Tensor]],
    after_backward: Callable[[], None] | None = None,
    log_interval: int = 50,
    clock: RunClock | None = None,
) -> int:
    """Trains on each batch once.

    Args:
        runtime, run: how to compute, where to record.
        position: before the epoch.
        optimiser, schedule: what moves the parameters, and its rate by step of the stage.
        batches: uint8 clips [B, T, 3, H, W] and track numbers [B].
        steps: number of batches, for the progress bar.
        losses_of: clips, track numbers and the step of the run to named, weighted loss terms.
        after_backward: called after each optimiser step (memories are written here).
        log_interval: batches between two lines of the text log.
        clock: how far the whole run is, for the time that it still takes.

    Returns:
        Steps taken.

    Raises:
        NonFiniteLoss: a term is not finite.
        UserError: there was no batch.
    """
    sums: dict[str, Tensor] = {}
    where = f"{position.stage} {position.epoch + 1}/{position.epochs}"
    device = runtime.device
    progress = EpochProgress(batches, steps, where, position.step, device, clock)
    lr = 0.0
    for clips, index in progress:
        taken = progress.taken
        if len(clips) * clips.shape[1] < 2:
            raise UserError(
                f"{position.stage}: a batch of one frame, over which batch norm cannot normalise; "
                "raise --p-num, --k-num or --num-frames"
            )
        lr = schedule.at(position.stage_step + taken)
        for group in optimiser.param_groups:
            group["lr"] = lr * group.get("factor", 1.0)
        losses = losses_of(clips, index, position.step + taken)
        total = torch.stack([value.float() for value in losses.values()]).sum()
        if not bool(torch.isfinite(total)):
            _stop_on_non_finite(losses, clips, index, run.path, position)
        optimiser.zero_grad(set_to_none=True)
        runtime.accelerator.backward(total)
        ranks.sum_gradients(p for group in optimiser.param_groups for p in group["params"])
        runtime.step(optimiser)
        if after_backward is not None:
            after_backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.detach().float()
        loss = float(total.detach())
        progress.count(len(clips), loss)
        if progress.taken % log_interval == 0:
            run.log(progress.line(loss, lr))
    taken = progress.taken
    if taken == 0:
        raise UserError(
            f"{position.stage}: the sampler found no batch. There are fewer clusters or "
            "identities than --p-num; lower --p-num, or look at the clustering above."
        )
    seconds, speed = progress.seconds, progress.clips_per_second
    peak = peak_memory_mib(device)
    means = {name: float(value) / taken for name, value in sums.items()}
    loss = sum(means.values())
    run.record(
        "train",
        stage=position.stage,
        epoch=position.epoch + 1,
        step=position.step + taken,
        loss=loss,
        losses=means,
        lr=lr,
        clips_per_second=speed,
        seconds=seconds,
        peak_memory_mib=peak,
    )
    terms = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    run.log(
        f"{where}: loss {loss:.3f} ({terms}), "
        f"{speed:.0f} clips/s, {seconds:.0f} s, peak memory {memory_text(peak)}"
    )
    return taken
