"""`--dry-run`: the largest step of a run first, the memory it takes, and how long the run will."""

from __future__ import annotations

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from tqdm import tqdm

from ..datasets.clip_loader import ClipLoader
from ..datasets.clip_reader import ClipReader
from ..datasets.resize import Filter
from ..distributed import ranks
from ..distributed.split_batch import split_batches
from ..errors import UserError, first_line, wants_memory
from ..models.network import Network
from .compiling import compile_network
from .encoder import Encoder
from .fit_check import check_fit
from .options import TrainingOptions
from .peak_memory import memory_held, memory_text, peak_memory_mib
from .planned_stages import PlannedStage, largest_stage
from .run_needs import RunNeeds
from .session import Session
from .training import make_optimiser

Settings = TypeVar("Settings", bound=TrainingOptions)
REPEATS = 3
SLOW = 30.0  # seconds; a step that takes longer is not repeated three times


@dataclass(frozen=True)
class Seconds:
    """What one batch costs: reading its frames, and computing."""

    reading: float
    computing: float

    def with_workers(self, options: TrainingOptions) -> float:
        """Wall clock in a run, where processes read ahead or a cache holds the frames."""
        if options.cache != "none":
            return self.computing
        if options.workers == 0:
            return self.reading + self.computing
        return max(self.computing, self.reading / options.workers)


def rehearsal(settings: Settings) -> Settings:
    """The settings of a dry run: frames are read in this process and as they are needed."""
    return dataclasses.replace(settings, cache="none", workers=0)


def dry_run(
    session: Session,
    options: TrainingOptions,
    model: Network,
    plan: Sequence[PlannedStage],
    training: str,
    *,
    untrained: bool,
    last_extractions: int = 0,
) -> None:
    """Takes each kind of step a few times, the largest first, and says what the run will need.

    Nothing is written. The network is trained on the way, so it is of no use afterwards.

    Args:
        session: made with the settings of :func:`rehearsal` and without a run.
        options, model: settings of the run itself, and its network.
        plan: stages of the run, in order.
        training: ``baseline``, ``mmm`` or ``supervised``; see :func:`check_fit`.
        untrained: whether the run starts with an evaluation.
        last_extractions: features of all training tracks computed after the last stage.

    Raises:
        UserError: a step does not fit into the memory, or there is no stage.
        DoesNotFit: see :func:`check_fit`.
    """
    plan = [stage for stage in plan if stage.epochs]
    if not plan:
        raise UserError("--dry-run: every stage has 0 epochs, so there is no step to take")
    held = memory_held(session.runtime.device)
    needs = check_fit(session, rehearsal(options), model, plan, training)
    if options.compile and (remark := compile_network(model, session.runtime.device)):
        session.say(remark)
    split_batches(model, bn_batch=options.bn_batch, accumulate=options.accumulate)
    largest = largest_stage(plan, options)
    frames = largest.frames(options)
    session.say(
        f"dry run, nothing is written: {largest.name}, {len(largest.batch)} clips of {frames} "
        f"frame{'s' * (frames > 1)} of {options.img_h} x {options.img_w}, on "
        f"{session.runtime.device_summary()}"
    )
    optimiser = make_optimiser(model, options, options.lr)
    with _out_of_memory_is_an_error(options, "a training step"):
        order = [largest, *(stage for stage in plan if stage is not largest)]
        steps = {
            stage.name: _training(session, model, optimiser, stage, options) for stage in order
        }
    optimiser.zero_grad(set_to_none=True)
    with _out_of_memory_is_an_error(options, "a batch of feature extraction"):
        features = _extraction(session, model, options)
    _say_peak(session, needs, held)
    _say_times(session, options, plan, steps, features, untrained, last_extractions)


@contextmanager
def _out_of_memory_is_an_error(options: TrainingOptions, what: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not wants_memory(error):
            raise
        extraction = "--batch-size" if "extraction" in what else None
        ways = extraction or (
            f"--p-num (now {options.p_num}), or compute the batch in parts with --accumulate (now "
            f"{options.accumulate})"
        )
        raise UserError(
            f"--dry-run: out of memory in {what}, so the run would not fit either. Lower {ways}. "
            f"({first_line(error)})"
        ) from error


def _repeated(step: Callable[[], object], device: torch.device) -> float:
    """Median seconds of a few calls after one that does not count; of one call where it is slow."""
    first = _timed(step, device)
    # Every process has to take the same number of steps, else one waits for ever.
    repeats = ranks.from_main(lambda: 1 if first > SLOW else REPEATS)
    return statistics.median(_timed(step, device) for _ in range(repeats))


def _timed(step: Callable[[], object], device: torch.device) -> float:
    wait = torch.get_device_module(device).synchronize
    wait()
    started = time.perf_counter()
    step()
    wait()
    return time.perf_counter() - started


def _training(
    session: Session,
    model: Network,
    optimiser: torch.optim.Optimizer,
    stage: PlannedStage,
    options: TrainingOptions,
) -> Seconds:
    started = time.perf_counter()
    ((clips, index),) = session.training_clips([stage.batch], (options.seed,), stage.num_frames)
    reading = time.perf_counter() - started
    runtime = session.runtime
    model.train()

    def step() -> None:
        losses = stage.losses(clips, index, 0)
        total = torch.stack([value.float() for value in losses.values()]).sum()
        optimiser.zero_grad(set_to_none=True)
        runtime.backward(total)
        ranks.sum_gradients(p for group in optimiser.param_groups for p in group["params"])
        runtime.step(optimiser)

    return Seconds(reading, _repeated(step, runtime.device))


def _extraction(session: Session, model: Network, options: TrainingOptions) -> Seconds:
    tracks = session.tracks[: options.batch_size]
    started = time.perf_counter()
    reader = ClipReader(
        tracks,
        height=options.img_h,
        width=options.img_w,
        num_frames=options.num_frames,
        cache="none",
        skip_corrupt=options.skip_corrupt,
        resize=cast(Filter, options.resize),
    )
    everything = [list(range(len(tracks)))]
    ((clips, _),) = ClipLoader(reader, everything, mode="test", num_frames=options.test_frames)
    reading = time.perf_counter() - started
    encoder = Encoder(model, session.runtime, flip=options.flip)
    modalities = torch.from_numpy(session.modalities[: len(tracks)])
    computing = _repeated(lambda: encoder(clips, modalities), session.runtime.device)
    # Of one track, so that the last batch of a pass, which is smaller, costs its share.
    return Seconds(reading / len(tracks), computing / len(tracks))


def _say_peak(session: Session, needs: RunNeeds | None, held: float | None) -> None:
    """What was measured, and what the look at what is free expected."""
    device = session.runtime.device
    peaks = [peak for peak in ranks.of_all(peak_memory_mib(device)) if peak is not None]
    kind = "resident memory of this process"
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device).total_memory / 2**20
        kind = f"allocated by torch, of the card's {memory_text(card)}"
    each = "; the largest of all processes" if len(peaks) > 1 else ""
    session.say(f"peak memory: {memory_text(max(peaks, default=None))} ({kind}{each})")
    if needs is not None and held is not None:
        need = needs.memory if needs.gpu is None else needs.gpu
        session.say(
            f"expected before the first step: {memory_text(held + need.total / 2**20)} "
            f"({memory_text(held)} held, {need})"
        )


def _say_times(
    session: Session,
    options: TrainingOptions,
    plan: Sequence[PlannedStage],
    steps: dict[str, Seconds],
    features: Seconds,
    untrained: bool,
    last_extractions: int,
) -> None:
    feature = features.with_workers(options) / ranks.count()
    train_pass, test_pass = feature * len(session.tracks), feature * len(session.test_tracks)
    head = ("stage", "epochs x batches", "s/batch", "feature passes", "evaluations", "time")
    rows = [head]
    whole = untrained * test_pass + last_extractions * train_pass
    if options.cache != "none":  # every frame is read once; a disk cache may be there already
        frames = sum(len(track.frames) for track in (*session.tracks, *session.test_tracks))
        whole += features.reading / options.test_frames * frames
    for stage in plan:
        batch = steps[stage.name].with_workers(options)
        evaluations = 1
        if options.test_interval:
            evaluations = math.ceil(stage.epochs / options.test_interval)
        seconds = stage.epochs * stage.steps * batch
        seconds += stage.extractions * train_pass + evaluations * test_pass
        whole += seconds
        rows.append(
            (
                stage.name,
                f"{stage.epochs} x {stage.steps}",
                f"{batch:.3f}",
                str(stage.extractions),
                str(evaluations),
                tqdm.format_interval(seconds),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        session.say("  ".join(cell.rjust(w) for cell, w in zip(row, widths)))
    session.say(
        f"a feature pass takes {tqdm.format_interval(train_pass)}, an evaluation "
        f"{tqdm.format_interval(test_pass)}"
    )
    without = "without ranking"
    if any(stage.extractions for stage in plan):
        without = (
            "without clustering, matching and ranking; stages that cluster were measured with a "
            "stand-in for their losses"
        )
    session.say(f"whole run: about {tqdm.format_interval(whole)}, {without}")
