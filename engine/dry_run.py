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

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..datasets.clip_loader import ClipLoader
from ..datasets.clip_reader import ClipReader
from ..datasets.resize import Filter
from ..datasets.track import Modality
from ..distributed import ranks
from ..distributed.split_batch import split_batches
from ..errors import UserError
from ..memory import ClusterMemory
from ..models.network import Network
from ..random_streams import Draw, numpy_generator
from .augment import Augmenter
from .compiling import compile_network
from .encoder import Encoder
from .options import TrainingOptions
from .peak_memory import memory_text, peak_memory_mib
from .session import Session
from .training import make_optimiser

Settings = TypeVar("Settings", bound=TrainingOptions)
Losses = Callable[[Tensor, Tensor, int], dict[str, Tensor]]
REPEATS = 3
SLOW = 30.0  # seconds; a step that takes longer is not repeated three times
TEMPERATURE = 0.05


@dataclass(frozen=True)
class PlannedStage:
    """What a stage will do, known before anything is clustered.

    Attributes:
        name: of the stage.
        epochs: its epochs; 0 leaves it out.
        steps: batches of an epoch.
        batch: track numbers of its largest batch.
        losses: clips, track numbers and step to the stage's own loss terms, where these need no
            clustering; see :func:`stand_in`.
        extractions: how often it computes the features of all training tracks.
        num_frames: frames of a clip; None = ``--num-frames``.
    """

    name: str
    epochs: int
    steps: int
    batch: list[int]
    losses: Losses
    extractions: int = 0
    num_frames: int | None = None


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


def some_tracks(session: Session, visible: int, infrared: int) -> list[int]:
    """Track numbers of a batch of so many visible and so many infrared clips, drawn at random."""
    draw = numpy_generator(Draw.REHEARSAL, session.options.seed)
    chosen: list[int] = []
    for modality, count in ((Modality.VISIBLE, visible), (Modality.INFRARED, infrared)):
        rows = np.flatnonzero(session.modalities == modality)
        chosen += draw.choice(rows, count, replace=count > len(rows)).tolist()
    return chosen


def most_clusters(session: Session, min_samples: int) -> int:
    """More clusters than any clustering of the training tracks can have, in both modalities."""
    return max(2, len(session.tracks) // max(1, min_samples))


def stand_in(
    session: Session, model: Network, augment: Augmenter, *, prototypes: int = 0
) -> Losses:
    """Losses of a stage whose own need a clustering first.

    Every output of the network takes part in a mean of squares, and the embeddings are compared
    with a cluster memory, so that what autograd keeps is what it keeps in the stage, up to the
    small matrices between the clips of a batch.

    Args:
        session, model, augment: device, network, and augmentation of the stage.
        prototypes: rows of the memory; 0 = none.

    Returns:
        A function like ``Stage.losses``.
    """
    memory: ClusterMemory | None = None

    def losses(clips: Tensor, index: Tensor, step: int) -> dict[str, Tensor]:
        nonlocal memory
        batch = augment(clips, index, step)
        with session.runtime.autocast():
            output = model.forward_features(batch.images, batch.modalities)
        values = [value for value in output if isinstance(value, Tensor)] + list(output.masks)
        found = {"outputs": torch.stack([v.float().square().mean() for v in values]).sum()}
        if prototypes:
            rows = output.embeddings
            if memory is None:
                drawn = torch.randn(prototypes, rows.shape[1], device=rows.device)
                memory = ClusterMemory(
                    F.normalize(drawn, dim=1), temperature=TEMPERATURE, momentum=0.1, mode="all"
                )
            found["memory"] = memory(rows, torch.arange(len(rows), device=rows.device) % prototypes)
        return found

    return losses


def dry_run(
    session: Session,
    options: TrainingOptions,
    model: Network,
    plan: Sequence[PlannedStage],
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
        untrained: whether the run starts with an evaluation.
        last_extractions: features of all training tracks computed after the last stage.

    Raises:
        UserError: a step does not fit into the memory, or there is no stage.
    """
    plan = [stage for stage in plan if stage.epochs]
    if not plan:
        raise UserError("--dry-run: every stage has 0 epochs, so there is no step to take")
    if options.compile and (remark := compile_network(model, session.runtime.device)):
        session.say(remark)
    split_batches(model, bn_batch=options.bn_batch, accumulate=options.accumulate)
    largest = max(plan, key=lambda stage: _frames(stage, options))
    frames = largest.num_frames or options.num_frames
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
    _say_result(session, options, plan, steps, features, untrained, last_extractions)


def _frames(stage: PlannedStage, options: TrainingOptions) -> int:
    return len(stage.batch) * (stage.num_frames or options.num_frames)


@contextmanager
def _out_of_memory_is_an_error(options: TrainingOptions, what: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        known = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not known and "allocate memory" not in text:  # torch's words on a CPU
            raise
        extraction = "--batch-size" if "extraction" in what else None
        ways = extraction or (
            f"--p-num (now {options.p_num}), or compute the batch in parts with --accumulate (now "
            f"{options.accumulate})"
        )
        raise UserError(
            f"--dry-run: out of memory in {what}, so the run would not fit either. Lower {ways}. "
            f"({(text.splitlines() or [type(error).__name__])[0]})"
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


def _say_result(
    session: Session,
    options: TrainingOptions,
    plan: Sequence[PlannedStage],
    steps: dict[str, Seconds],
    features: Seconds,
    untrained: bool,
    last_extractions: int,
) -> None:
    device = session.runtime.device
    peaks = [peak for peak in ranks.of_all(peak_memory_mib(device)) if peak is not None]
    kind = "resident memory of this process"
    if device.type == "cuda":
        card = torch.cuda.get_device_properties(device).total_memory / 2**20
        kind = f"allocated by torch, of the card's {memory_text(card)}"
    each = "; the largest of all processes" if len(peaks) > 1 else ""
    session.say(f"peak memory: {memory_text(max(peaks, default=None))} ({kind}{each})")
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
