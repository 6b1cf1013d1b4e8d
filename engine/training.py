"""One epoch of training: optimiser, backward pass, checks, progress, records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..distributed import ranks
from ..errors import UserError
from ..losses.inputs import at_least_float32
from ..models.network import Network
from ..transfers import OnItsWay
from .late_losses import LateLosses
from .options import OptimiserOptions
from .peak_memory import memory_text, peak_memory_mib
from .progress import EpochProgress, RunClock
from .run_folder import RunFolder
from .runtime import Runtime
from .schedule import LearningRate, OptimiserRule, optimiser_rule
from .step_guard import StepGuard

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
# Values that an optimiser keeps for each trainable one: moments, or the momentum.
STATE_COPIES = {"adam": 2, "adamw": 2, "sgd": 1}


def make_optimiser(model: Network, options: OptimiserOptions, lr: float) -> torch.optim.Optimizer:
    """A fresh optimiser over the trainable parameters of ``model``.

    With a ``--backbone-rate`` other than 1 the backbone is a group of its own; ``factor`` of a
    group is what multiplies the rate of the stage.
    """
    rule = optimiser_rule(options)
    groups = _parameter_groups(model, rule)
    more = {**rule.settings, "lr": lr, "weight_decay": rule.weight_decay, "fused": True}
    optimiser = OPTIMISERS[rule.name](groups, **more)
    if rule.name == "sgd":
        # The fused kernel makes all of them in the first step and fills them there. Under fp16 that
        # step overflows and is left out; a stem may see no clip in it. From zeros it is the same.
        for parameter in (p for group in optimiser.param_groups for p in group["params"]):
            optimiser.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimiser


def _parameter_groups(model: Network, rule: OptimiserRule) -> list[dict[str, Any]]:
    named = [(name, value) for name, value in model.named_parameters() if value.requires_grad]
    if len(rule.groups) == 1:
        return [{"params": [value for _, value in named], "factor": rule.groups[0].factor}]
    members: dict[str, list[Tensor]] = {group.members: [] for group in rule.groups}
    for name, parameter in named:
        members["head" if name.startswith(model.head) else "backbone"].append(parameter)
    groups = [{"params": members[group.members], "factor": group.factor} for group in rule.groups]
    return [group for group in groups if group["params"]]


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    Attributes:
        stage: name of the stage.
        epoch: epoch within the stage, from 0.
        epochs: epochs of the stage.
        step: steps of the run before this epoch.
    """

    stage: str
    epoch: int
    epochs: int
    step: int


@dataclass
class EpochTotals:
    """What the batches of an epoch so far sum up to.

    Attributes:
        taken: batches.
        clips: in these batches.
        seconds: that they took.
        sums: each loss term by name, summed over the batches, scalars on the device.
        stopped: the epoch was left before its end.
        left_out: batches whose step was taken back; they are not in the sums.
    """

    taken: int = 0
    clips: int = 0
    seconds: float = 0.0
    sums: dict[str, Tensor] = field(default_factory=dict)
    stopped: bool = False
    left_out: int = 0

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        sums = {name: value.cpu() for name, value in self.sums.items()}
        numbers = ("taken", "clips", "seconds", "left_out")
        return {"sums": sums, **{name: getattr(self, name) for name in numbers}}

    @classmethod
    def of_state(cls, state: dict[str, Any], device: torch.device) -> EpochTotals:
        """What :meth:`state` gave, for an epoch that goes on."""
        sums = {name: value.to(device) for name, value in state["sums"].items()}
        numbers = {name: value for name, value in state.items() if name not in ("sums", "stage")}
        return cls(**numbers, sums=sums)


def train_epoch(
    runtime: Runtime,
    run: RunFolder,
    position: Position,
    optimiser: torch.optim.Optimizer,
    rate: LearningRate,
    batches: Iterable[tuple[Tensor, Tensor]],
    steps: int,
    losses_of: Callable[[Tensor, Tensor, int], dict[str, Tensor]],
    after_backward: Callable[[], None] | None = None,
    log_interval: int = 50,
    clock: RunClock | None = None,
    before: EpochTotals | None = None,
    stop: Callable[[], bool] | None = None,
    guard: StepGuard | None = None,
) -> EpochTotals:
    """Trains on each batch once, and records the epoch at its end.

    Args:
        runtime, run: how to compute, where to record.
        position: before the epoch.
        optimiser, rate: what moves the parameters, and its rate by epoch or batch of the stage.
        batches: uint8 clips [B, T, 3, H, W] and track numbers [B]; those that are left, where an
            epoch goes on.
        steps: number of batches of the epoch.
        losses_of: clips, track numbers and the step of the run to named, weighted loss terms.
        after_backward: called after each optimiser step, and after what the guard takes back
            (memories are written here).
        log_interval: batches between two lines of the text log.
        clock: how far the whole run is, for the time that it still takes.
        before: of the batches that were taken before the run went on in the middle of the epoch.
        stop: asked after each batch whether to leave the epoch there, without a record.
        guard: in fp16, what takes back a step whose loss is not finite; without, it stops the run.

    Returns:
        Of the whole epoch, or of the batches until it was left.

    Raises:
        NonFiniteLoss: a term is not finite. It is read one step late, so that the device is not
            waited for; parameters and memories are of no use then.
        UserError: there was no batch.
    """
    totals = before or EpochTotals()
    sums = totals.sums
    where = f"{position.stage} {position.epoch + 1}/{position.epochs}"
    device = runtime.device
    progress = EpochProgress(batches, steps, where, position.step, device, clock, totals)
    late = LateLosses(where, run.path, guard, run.log)
    late.left_out = totals.left_out
    lr = rate.at(position.epoch, max(0, totals.taken - 1), steps)
    for clips, index in progress:
        taken = progress.taken
        if len(clips) * clips.shape[1] < 2:
            raise UserError(
                f"{position.stage}: a batch of one frame, over which batch norm cannot normalise; "
                "raise --p-num, --k-num or --num-frames"
            )
        lr = rate.at(position.epoch, taken, steps)
        for group in optimiser.param_groups:
            group["lr"] = lr * group.get("factor", 1.0)
        if guard is not None:
            guard.before_step()
        losses = losses_of(clips, index, position.step + taken)
        total = torch.stack([at_least_float32(value) for value in losses.values()]).sum()
        optimiser.zero_grad(set_to_none=True)
        runtime.backward(total if guard is None else guard.judge(total))
        ranks.sum_gradients(p for group in optimiser.param_groups for p in group["params"])
        runtime.step(optimiser)
        if guard is not None:
            guard.after_step()  # first, so that an average of the network sees no spoilt statistics
        if after_backward is not None:
            after_backward()
        for name, value in losses.items():
            own = value.detach().float()
            sums[name] = sums.get(name, 0.0) + (own if guard is None else guard.counted(own))
        late.note(clips, index, taken + 1, losses, total)
        progress.count(len(clips), late.last)
        if progress.taken % log_interval == 0:
            late.settle()
            assert late.last is not None
            run.log(progress.line(late.last, lr))
        if stop is not None and stop():
            late.settle()  # no state is kept whose last step is not known to be sound
            so_far = (progress.taken, progress.clips, progress.seconds, sums)
            return EpochTotals(*so_far, stopped=True, left_out=late.left_out)
    late.settle()
    taken, left_out = progress.taken, late.left_out
    if taken == 0:
        raise UserError(
            f"{position.stage}: the sampler found no batch. There are fewer clusters or "
            "identities than --p-num; lower --p-num, or look at the clustering above."
        )
    seconds, speed = progress.seconds, progress.clips_per_second
    peak = peak_memory_mib(device)
    summed = OnItsWay(torch.stack(list(sums.values()))).arrived().tolist()  # one wait for all
    means = {name: value / max(1, taken - left_out) for name, value in zip(sums, summed)}
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
    return EpochTotals(taken, progress.clips, seconds, sums, left_out=left_out)
