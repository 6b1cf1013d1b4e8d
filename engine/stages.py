"""Runs the stages of a training command: epochs, evaluation, checkpoints, exact resume."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..distributed import ranks
from ..distributed.split_batch import split_batches, whole_batches
from ..errors import UserError, as_user_error
from ..memory.writes import PendingWrites
from ..models.network import Network
from .checkpoint import load_checkpoint, save_checkpoint
from .checkpoint_fit import check_network, check_optimiser, check_position
from .compiling import compile_network
from .options import LoopOptions
from .progress import RunClock
from .run_folder import RunFolder
from .session import Session
from .training import Position, Schedule, make_optimiser, train_epoch


class Stage(ABC):
    """One stage of training, for instance the pre-training.

    Attributes:
        name: in records and messages.
        epochs: how many; 0 leaves the stage out.
        steps: batches of an epoch.
        lr: base learning rate.
        milestones: steps of the stage at which the step schedule decays.
        writes: what the memories of this step are yet to take in; a stage without any adds none.
    """

    name: str
    epochs: int
    steps: int
    lr: float
    milestones: tuple[int, ...] = ()

    def __init__(self) -> None:
        self.writes = PendingWrites()

    def begin_epoch(self, epoch: int, step: int) -> None:  # noqa: B027 - nothing to prepare
        """Clusters, matches, builds memories; ``epoch`` counts from 0."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips [B, T, 3, H, W] and track numbers [B]."""

    @abstractmethod
    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Named, weighted loss terms of a batch."""

    def after_step(self) -> None:
        """Writes the memories, after the backward pass that read them."""
        self.writes.write()

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that the next epoch needs; empty if it needs none."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - nothing to take back
        """Takes back what :meth:`state` gave."""


def run_stages(
    session: Session,
    run: RunFolder,
    options: LoopOptions,
    model: Network,
    stages: Sequence[Stage],
    *,
    untrained: bool,
) -> int:
    """Trains ``model`` through ``stages``, evaluating after each.

    Args:
        session: data and device.
        run: goes on from its checkpoint when it was resumed.
        options: schedule, optimiser, intervals, parts of a batch.
        model: already on the device.
        stages: in order; a stage of 0 epochs is left out.
        untrained: whether the network starts without training on this data, and is so evaluated.

    Returns:
        Steps of the whole run.

    Raises:
        UserError: the checkpoint of a resumed run is damaged, or belongs to other data.
    """
    if options.compile and (remark := compile_network(model, session.runtime.device)):
        session.say(remark)
    first_stage = first_epoch = step = stage_step = 0
    saved: dict[str, Any] = {}
    if run.resumed:
        saved = load_checkpoint(run.checkpoint)
        if saved["tracks"] != session.fingerprint:
            raise UserError(
                f"--resume: the training tracks are not those with which {run.path} started. "
                "Restore the data set as it was, or train anew with another --output."
            )
        with as_user_error(start=f"{run.checkpoint} cannot be gone on with: "):
            check_position(saved, [stage.epochs for stage in stages])
            check_network(saved["model"], model)
        first_stage, first_epoch = saved["stage"], saved["epoch"]
        step, stage_step = saved["step"], saved["stage_step"]
        model.load_state_dict(saved["model"])
        run.rewind_metrics(saved["metrics_size"])
        run.log(f"resumed: {sum(s.epochs for s in stages[:first_stage]) + first_epoch} epochs done")
    else:
        if untrained:
            session.evaluate(model, "untrained", 0, 0)
        start = {"stage": 0, "epoch": 0, "step": 0, "stage_step": 0}
        _save(session, run, model, start, None, {})
    split_batches(model, bn_batch=options.bn_batch, accumulate=options.accumulate)
    clock = RunClock(sum(stage.steps * stage.epochs for stage in stages), step)
    for number, stage in enumerate(stages[first_stage:], first_stage):
        if stage.epochs == 0:
            continue
        going_on = number == first_stage and first_epoch > 0
        if not going_on:
            stage_step = 0
        optimiser = session.runtime.scaled(make_optimiser(model, options, stage.lr))
        if going_on:
            with as_user_error(
                KeyError, TypeError, start=f"{run.checkpoint} cannot be gone on with: "
            ):
                check_optimiser(saved["optimiser"], optimiser)
                optimiser.load_state_dict(saved["optimiser"])
                session.runtime.load_scaler(saved.get("scaler", {}))
                stage.load_state(saved["stage_state"])
        started = time.perf_counter()
        for epoch in range(first_epoch if going_on else 0, stage.epochs):
            stage.begin_epoch(epoch, step)
            schedule = Schedule(
                options.schedule,
                stage.lr,
                stage.steps * stage.epochs,
                stage.milestones,
                stage.steps * options.lr_warmup_epochs,
            )
            model.train()
            taken = train_epoch(
                session.runtime,
                run,
                Position(stage.name, epoch, stage.epochs, step, stage_step),
                optimiser,
                schedule,
                stage.batches(epoch),
                stage.steps,
                stage.losses,
                stage.after_step,
                options.log_interval,
                clock,
            )
            step += taken
            stage_step += taken
            last = epoch + 1 == stage.epochs
            if last or (options.test_interval and (epoch + 1) % options.test_interval == 0):
                final = last and not any(later.epochs for later in stages[number + 1 :])
                session.evaluate(model, stage.name, epoch + 1, step, keep=final)
            if last:
                seconds = time.perf_counter() - started
                run.record("stage_time", stage=stage.name, seconds=seconds, steps=stage_step)
                where = {"stage": number + 1, "epoch": 0, "step": step, "stage_step": 0}
                _save(session, run, model, where, None, {})
            elif (epoch + 1) % options.save_interval == 0:
                where = {"stage": number, "epoch": epoch + 1, "step": step}
                where["stage_step"] = stage_step
                _save(session, run, model, where, optimiser, stage.state())
    whole_batches(model)
    return step


def _save(
    session: Session,
    run: RunFolder,
    model: Network,
    where: dict[str, int],
    optimiser: torch.optim.Optimizer | None,
    stage_state: dict[str, Any],
) -> None:
    if not ranks.is_main():
        return
    save_checkpoint(
        run.checkpoint,
        {
            **where,
            "tracks": session.fingerprint,
            "model": model.state_dict(),
            "optimiser": {} if optimiser is None else optimiser.state_dict(),
            "scaler": session.runtime.scaler_state(),
            "stage_state": stage_state,
            "metrics_size": run.metrics_size(),
        },
    )
