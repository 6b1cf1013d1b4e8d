"""What a run will need at most of memory, GPU memory, disk and shared memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..datasets.options import FrameOptions
from ..datasets.track import Modality
from ..distributed import processes
from ..models.network import Network
from .options import TrainingOptions
from .planned_stages import PlannedStage, largest_stage
from .resources import MIB, Room, size_text
from .session import Session
from .step_memory import StepShape, embedding_memory, training_step_memory
from .training import STATE_COPIES

# Libraries that are loaded when first needed: compiled loops, clustering, TensorBoard. Measured.
LIBRARIES = 200 * MIB
# What CUDA's libraries take on a card for themselves, beside torch's tensors.
GPU_LIBRARIES = 500 * MIB
WORKER = 64 * MIB  # pages that a worker process has for itself, beside the names of frames:
# a fork shares these until it looks at them, and over a run it looks at all. Measured: 275 bytes.
FRAME_NAME = 300
LOADED_AHEAD = 2  # batches that each worker prepares
GRAPH_ENTRIES = 700  # stored distances of a track, of 8 bytes, twice while they are built
NEIGHBOUR = 12  # bytes of a neighbour: similarity and number
RECORDS = 64 * MIB  # log, records, pictures of TensorBoard, report


@dataclass(frozen=True)
class Need:
    """What a run needs of one thing.

    Attributes:
        parts: bytes by what they are for.
    """

    parts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Bytes of all parts."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        """The parts of at least a hundredth of the whole, largest first."""
        shown = sorted(self.parts.items(), key=lambda part: -part[1])
        return ", ".join(
            f"{name} {size_text(size)}" for name, size in shown if 100 * size >= self.total
        )


@dataclass(frozen=True)
class Demand:
    """What a run needs of one thing, beside what there is of it.

    Attributes:
        what: its name in a message.
        need: of one process.
        room: what is free.
        times: processes that share it.
    """

    what: str
    need: Need
    room: Room
    times: int = 1

    @property
    def total(self) -> int:
        """Bytes that all of them need."""
        return self.times * self.need.total

    def __str__(self) -> str:
        """Need and room in figures."""
        each = "" if self.times == 1 else f" for {self.times} processes, each"
        return f"{self.what}: needs {size_text(self.total)}{each} ({self.need}); {self.room}"


@dataclass(frozen=True)
class RunNeeds:
    """What a run needs at most, beside what its process holds already.

    Attributes:
        memory: host memory of one process.
        gpu: memory of its card; None on a CPU.
        disk: in the run folder.
        shared: shared memory of all processes here, through which workers pass clips; None
            without workers.
        step: the largest step in words.
        remark: how it was estimated, where not exactly; else empty.
    """

    memory: Need
    gpu: Need | None
    disk: Need
    shared: Need | None
    step: str
    remark: str = ""


def clustering_bytes(tracks: int, width: int, k1: int = 40) -> int:
    """Bytes that clustering takes at most.

    Args:
        tracks: N.
        width: values D of an embedding.
        k1: neighbours of each track.
    """
    return tracks * (3 * 4 * width + NEIGHBOUR * k1 + 2 * 8 * GRAPH_ENTRIES)


def clip_bytes(clips: int, frames: int, options: FrameOptions) -> int:
    """Bytes of clips as they are read, one a value."""
    return clips * frames * 3 * options.img_h * options.img_w


def worker_bytes(workers: int, frames: int) -> int:
    """Bytes that worker processes hold for themselves by the end of a run.

    Args:
        workers: how many.
        frames: of all tracks that they know.
    """
    return workers * (WORKER + FRAME_NAME * frames)


def pinned_bytes(batches: Iterable[int], workers: int) -> int:
    """Bytes of page-locked memory in which clips wait for a CUDA device.

    torch rounds a block up to a power of two and keeps it for the next batch of this size, so the
    sizes of all stages add up. Beside the batches ahead and the one in use, one more is still being
    copied.

    Args:
        batches: bytes of a batch of each kind.
        workers: processes that read ahead.
    """
    blocks = {1 << max(0, size - 1).bit_length() for size in batches}
    return sum(blocks) * (2 + LOADED_AHEAD * workers)


def step_shape(
    session: Session, stage: PlannedStage, options: TrainingOptions, share: int
) -> StepShape:
    """What the network of one process gets in a step of a stage.

    Args:
        session: modalities of the tracks.
        stage: of the run.
        options: frames and parts.
        share: processes that share a batch.
    """
    visible = int((session.modalities[stage.batch] == Modality.VISIBLE).sum())
    infrared = len(stage.batch) - visible
    return StepShape(
        visible=math.ceil(visible * (1 + stage.seen_twice) / share),
        infrared=math.ceil(infrared / share),
        frames=stage.frames(options),
        height=options.img_h,
        width=options.img_w,
        prototypes=stage.prototypes,
        accumulate=options.accumulate,
        bn_batch=options.bn_batch,
    )


def run_needs(
    session: Session, options: TrainingOptions, model: Network, plan: Sequence[PlannedStage]
) -> RunNeeds:
    """Estimates what a run needs, from its largest step.

    Nothing is computed for real, and nothing outside changes: see :mod:`.step_memory`.

    Args:
        session: the data and the device.
        options: of the run; or others, to see what they would need.
        model: the network, not split.
        plan: its stages; one at least has an epoch.
    """
    share = processes.count()
    stage = largest_stage([stage for stage in plan if stage.epochs], options)
    shape = step_shape(session, stage, options, share)
    step = training_step_memory(model, shape, session.runtime)
    state = STATE_COPIES[options.optimiser] * step.gradients
    features = 4 * step.width * (len(session.tracks) + len(session.test_tracks))
    passed = embedding_memory(
        model,
        options.batch_size,
        options.test_frames,
        options.img_h,
        options.img_w,
        session.runtime,
    )
    what = (
        f"{stage.name}, {len(stage.batch)} clips of {shape.frames} "
        f"frame{'s' * (shape.frames > 1)} of {options.img_h} x {options.img_w}"
    )
    if options.accumulate > 1:
        what += f" in {options.accumulate} parts"
    weights = sum(value.nbytes for value in model.state_dict().values())
    averaged = weights if options.ema_decay else 0
    kept = {"gradients and optimiser": state + step.gradients, "averaged weights": averaged}
    # Each phase of a run: what the device computes, and what the host holds beside it.
    training = {"activations": step.activations - step.gradients}
    extraction = {"activations of feature extraction": passed}
    read = clip_bytes(math.ceil(len(stage.batch) / share), shape.frames, options)
    read_again = clip_bytes(options.batch_size, options.test_frames, options)
    held = {"features": features}
    clusters = any(stage.extractions and stage.epochs for stage in plan)
    clustered = clustering_bytes(len(session.tracks), step.width) if clusters else 0
    clustering = {"clustering": clustered}
    loaded = {"libraries": LIBRARIES}
    if options.workers:
        tracks = (*session.tracks, *session.test_tracks)
        frames = sum(len(track.frames) for track in tracks)
        loaded["worker processes"] = worker_bytes(options.workers, frames)
    ahead = 1 + LOADED_AHEAD * options.workers
    batches = {"clips": read * ahead}, {"clips": read_again * ahead}
    device = _largest(kept | training, kept | extraction)
    if session.runtime.device.type == "cuda":
        sizes = (
            clip_bytes(math.ceil(len(stage.batch) / share), stage.frames(options), options)
            for stage in plan
        )
        loaded["pinned clips"] = pinned_bytes((*sizes, read_again), options.workers)
        host = [batches[0] | held, batches[1] | held, clustering | held]
        memory, gpu = _largest(*(loaded | phase for phase in host)), device
        gpu = Need(gpu.parts | {"CUDA's libraries": GPU_LIBRARIES})
    else:
        phases = [training | batches[0] | held, extraction | batches[1] | held, clustering | held]
        memory, gpu = _largest(*(loaded | kept | phase for phase in phases)), None
    shared = None
    if options.workers:
        clips = max(read, read_again) * ahead * processes.count_here()
        shared = Need({"clips that workers read ahead": clips})
    remark = ""
    if step.scaled_from:
        remark = (
            f"the network cannot be run on tensors without data, so its activations are those of "
            f"{step.scaled_from} clips, scaled"
        )
    disk = _disk(session, weights, averaged, state, features)
    return RunNeeds(memory, gpu, disk, shared, what, remark)


def _largest(*phases: dict[str, int]) -> Need:
    return max(map(Need, phases), key=lambda need: need.total)


def _disk(session: Session, weights: int, averaged: int, state: int, features: int) -> Need:
    parts = {
        "checkpoint": weights + averaged + state,
        "the next one, written beside it": weights + averaged + state,
        "the trained network": weights + averaged,
        "features": 2 * features,
        "records": RECORDS,
    }
    if session.run is not None and session.run.checkpoint.exists():
        parts["checkpoint"] = 0  # is there already
    return Need(parts)
