"""Runs the stages of a training command: epochs, evaluation, checkpoints, exact resume."""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..distributed import ranks
from ..distributed.split_batch import split_batches, whole_batches
from ..errors import Stopped
from ..memory.writes import PendingWrites
from ..models.network import Network
from ..pseudo_labels.settled_labels import SettledLabels
from .checkpoint_fit import check_optimiser
from .compiling import compile_network
from .options import LoopOptions
from .progress import RunClock
from .resume_point import Place, ResumePoint
from .run_folder import RunFolder
from .schedule import LearningRate, Phase, StageSchedule
from .session import Session
from .step_guard import StepGuard
from .stop_signals import StopSignals
from .training import EpochTotals, Position, make_optimiser, train_epoch
from .weight_average import WeightAverage


class Stage(ABC):
    """One stage of training, for instance the pre-training.

    Attributes:
        name: in records and messages.
        stream: number that keeps the stage's random draws apart from those of the others.
        epochs: how many at most; 0 leaves the stage out.
        steadiness: says when a stage that clusters may hurry to its end; None = never.
        steps: batches of an epoch.
        schedule: what it does by epoch, and :attr:`phase` the part that holds in this one.
        writes: what the memories of this step are yet to take in; a stage without any adds none.
    """

    name: str
    stream: int
    epochs: int
    steps: int
    schedule: StageSchedule
    phase: Phase
    steadiness: SettledLabels | None = None

    def __init__(self, schedule: StageSchedule) -> None:
        self.name = schedule.stage
        self.epochs = schedule.epochs
        self.schedule = schedule
        self.phase = schedule.phase(0)
        self.writes = PendingWrites()

    def begin_epoch(self, epoch: int, step: int) -> None:
        """Clusters, matches, builds memories; ``epoch`` counts from 0.

        Every stage calls this one first, for what holds in the epoch.
        """
        self.phase = self.schedule.phase(epoch)

    @abstractmethod
    def batches(self, epoch: int, first: int = 0) -> Iterable[tuple[Tensor, Tensor]]:
        """uint8 clips [B, T, 3, H, W] and track numbers [B], from batch ``first`` on."""

    @abstractmethod
    def losses(self, clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        """Named, weighted loss terms of a batch."""

    def after_step(self) -> None:
        """Writes the memories, after the backward pass that read them."""
        self.writes.write()

    def end_epoch(self, epoch: int, step: int) -> None:  # noqa: B027 - nothing to finish
        """Passes after the last step of an epoch, before it is evaluated."""

    def state(self) -> dict[str, Any]:
        """Tensors and plain values that the next epoch needs; empty if it needs none."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027 - nothing to take back
        """Takes back what :meth:`state` gave."""

    def epoch_state(self) -> dict[str, Any]:
        """What ``begin_epoch`` made and the steps since then changed, as the epoch needs it."""
        return {}

    def continue_epoch(self, epoch: int, step: int, state: dict[str, Any]) -> None:
        """Takes back what :meth:`epoch_state` gave, in place of ``begin_epoch``.

        Every stage calls this one first, for what holds in the epoch.

        Args:
            epoch, step: as ``begin_epoch`` got them.
            state: tensors lie on the CPU.
        """
        self.phase = self.schedule.phase(epoch)


def run_stages(
    session: Session,
    run: RunFolder,
    options: LoopOptions,
    model: Network,
    stages: Sequence[Stage],
    *,
    untrained: bool,
    stop: StopSignals | None = None,
) -> int:
    """Trains ``model`` through ``stages``, evaluating after each.

    Args:
        session: data and device.
        run: goes on from its checkpoint when it was resumed.
        options: schedule, optimiser, intervals, parts of a batch.
        model: already on the device.
        stages: in order; a stage of 0 epochs is left out.
        untrained: whether the network starts without training on this data, and is so evaluated.
        stop: what a scheduler sends; None listens to nothing.

    Returns:
        Steps of the whole run.

    Raises:
        UserError: the checkpoint of a resumed run is damaged, or belongs to other data.
        Stopped: a scheduler asked for it; the run goes on from the very batch.
    """
    average = session.average = (
        WeightAverage(model, options.ema_decay) if options.ema_decay else None
    )
    if options.compile and (remark := compile_network(model, session.runtime.device)):
        session.say(remark)
    stop = stop or StopSignals()
    point = ResumePoint(session, run, model, average)
    saved: dict[str, Any] = {}
    if run.resumed:
        saved = point.load([stage.epochs for stage in stages])
        with point.of_use():
            session.runtime.load_scaler(saved.get("scaler", {}))
        run.log(f"resumed: {_done(saved, stages)} done")
    else:
        for stage in stages:
            if stage.epochs:
                run.record("schedule", **stage.schedule.record())
        if untrained:
            session.evaluate(model, "untrained", 0, 0)
        point.save(Place(0, 0, 0, 0))
    split_batches(model, bn_batch=options.bn_batch, accumulate=options.accumulate)
    first = Place(*(saved.get(name, 0) for name in Place._fields))
    within: dict[str, Any] = saved.get("within", {})
    # Not from the beginning of the run: a stage may have ended before its last epoch.
    left = [stage.steps * stage.epochs for stage in stages[first.stage :]]
    begun = stages[first.stage].steps * first.epoch if left else 0
    clock = RunClock(first.step + sum(left) - begun, first.step + within.get("taken", 0))
    step = first.step
    with stop.deferred():
        for number, stage in enumerate(stages[first.stage :], first.stage):
            if stage.epochs == 0:
                continue
            going_on = number == first.stage and (first.epoch > 0 or bool(within))
            place = first if going_on else Place(number, 0, step, 0)
            optimiser = make_optimiser(model, options, stage.schedule.rate.base)
            if going_on:
                with point.of_use():
                    check_optimiser(saved["optimiser"], optimiser)
                    optimiser.load_state_dict(saved["optimiser"])
                    stage.load_state(saved["stage_state"])
            guard = StepGuard(model, stage.writes) if session.runtime.scaler else None
            loop = _EpochLoop(
                session, run, options, model, stage, optimiser, point, stop, clock, guard, average
            )
            started = time.perf_counter()
            closing = not any(later.epochs for later in stages[number + 1 :])
            for epoch in range(place.epoch, stage.epochs):
                taken, last = loop.run(place, within, closing=closing)
                step = place.step + taken
                place = Place(number, epoch + 1, step, place.stage_step + taken)
                within = {}
                if last:
                    seconds = time.perf_counter() - started
                    run.record(
                        "stage_time", stage=stage.name, seconds=seconds, steps=place.stage_step
                    )
                    point.save(Place(number + 1, 0, step, 0))
                    clock.leave_out(stage.steps * (stage.epochs - place.epoch))
                    break
                if (epoch + 1) % options.save_interval == 0:
                    point.save(place, optimiser, stage.state())
    whole_batches(model)
    if stop.wanted():
        raise Stopped(f"stopped by {stop.name}.")
    return step


def _done(saved: dict[str, Any], stages: Sequence[Stage]) -> str:
    """How far a checkpoint is, in words; stages before may have ended before their last epoch."""
    if saved["stage"] == len(stages):
        return "all stages"
    batches = f" and {saved['within']['taken']} batches" if saved["within"] else ""
    return f"{saved['epoch']} epochs{batches} of {stages[saved['stage']].name}"


@dataclass(frozen=True)
class _EpochLoop:
    """The epochs of one stage; each can be left at a scheduler's word and taken up again."""

    session: Session
    run_folder: RunFolder
    options: LoopOptions
    model: Network
    stage: Stage
    optimiser: torch.optim.Optimizer
    point: ResumePoint
    stop: StopSignals
    clock: RunClock
    guard: StepGuard | None  # of the whole stage: short epochs do not begin its count anew
    average: WeightAverage | None

    def run(self, place: Place, within: dict[str, Any], *, closing: bool) -> tuple[int, bool]:
        """One epoch and its evaluation.

        Args:
            place: before the epoch.
            within: where in the epoch the run goes on; empty at its beginning.
            closing: whether no stage follows.

        Returns:
            Batches of the epoch, and whether it was the last of its stage.
        """
        stage, options, session = self.stage, self.options, self.session
        before = EpochTotals()
        if within:
            with self.point.of_use():
                stage.continue_epoch(place.epoch, place.step, within["stage"])
                before = EpochTotals.of_state(within, session.runtime.device)
        else:
            held = stage.state() if place.epoch else {}  # there is none before the first epoch
            keep = self._keeping(place, held, {}, f"before epoch {place.epoch + 1}")
            with self.stop.leaving(keep):
                stage.begin_epoch(place.epoch, place.step)
        rate = self._rate(place.epoch)
        last = place.epoch + 1 >= rate.last_epoch
        self.model.train()
        size = self.run_folder.metrics_size()
        totals = train_epoch(
            session.runtime,
            self.run_folder,
            Position(stage.name, place.epoch, stage.epochs, place.step),
            self.optimiser,
            rate,
            stage.batches(place.epoch, before.taken),
            stage.steps,
            stage.losses,
            self._after_step,
            options.log_interval,
            self.clock,
            before,
            self.stop.watch(),
            self.guard,
        )
        within = {**totals.state(), "stage": stage.epoch_state()}
        when = f"after batch {totals.taken} of epoch {place.epoch + 1}"
        keep = self._keeping(place, stage.state(), within, when, size)
        if totals.stopped:
            keep(self.stop.name)
            raise Stopped
        epoch, step = place.epoch + 1, place.step + totals.taken
        interval = options.test_interval
        with self.stop.leaving(keep):
            stage.end_epoch(place.epoch, step)
            if last or (interval and epoch % interval == 0):
                session.evaluate(self.model, stage.name, epoch, step, keep=last and closing)
        return totals.taken, last

    def _rate(self, epoch: int) -> LearningRate:
        """The stage's, hurried where its labels have settled; ``epoch`` counts from 0."""
        steadiness, rate = self.stage.steadiness, self.stage.schedule.rate
        if steadiness is None or steadiness.since is None:
            return rate
        rate = dataclasses.replace(rate, hurried_from=steadiness.since)
        if steadiness.since == epoch:
            self.session.say(
                f"{self.stage.name} {epoch + 1}: {steadiness.text()}: the stage ends with epoch "
                f"{rate.last_epoch} instead of {rate.epochs}"
            )
        return rate

    def _after_step(self) -> None:
        self.stage.after_step()
        if self.average is not None:
            self.average.update(self.model)

    def _keeping(
        self,
        place: Place,
        state: dict[str, Any],
        within: dict[str, Any],
        when: str,
        size: int | None = None,
    ) -> Callable[[str], None]:
        """What writes this very state when it is called, and says so.

        Passes over the tracks may move statistics of the network meanwhile, never weights.
        """
        size = self.run_folder.metrics_size() if size is None else size
        kept = self.model.state_dict().keys()  # constants are buffers, too, and no part of it
        buffers = {n: value.clone() for n, value in self.model.named_buffers() if n in kept}

        def write(signal: str) -> None:
            self.point.save(place, self.optimiser, state, within, size, buffers)
            self.run_folder.log(
                f"stopped by {signal} {when} of {self.stage.name}; the state is kept in "
                f"{self.run_folder.checkpoint}, and the same command with --resume goes on from it"
            )

        # The others must not end before, or torchrun ends this one.
        return lambda signal: ranks.from_main(lambda: write(signal))
