"""How much of a training epoch a device computes: the union of what its profiler saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from vireid.engine.run_folder import RunFolder
from vireid.engine.session import Session
from vireid.engine.training import Position, make_optimiser, train_epoch
from vireid.supervised.m3reid_stage import start_supervised
from vireid.supervised.settings import SupervisedSettings
from vireid.synthetic import render_dataset

from .gpu_sizes import Sizes

COPIES = ("Memcpy", "Memset")


@dataclass(frozen=True)
class BusyEpoch:
    """What an epoch came to.

    Attributes:
        steps, clips: of the epoch.
        seconds: without a profiler.
        profiled: with it.
        share: of ``profiled`` in which the device computed, 0 to 1.
    """

    steps: int
    clips: int
    seconds: float
    profiled: float
    share: float


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of spans (start, end)."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def busy_share(call: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds of a call, and the share of them in which the device computes.

    On CUDA kernels count and copies do not. On the CPU, where this is only tried, operations do.

    Args:
        call: what to look at.
        device: where it computes.
    """
    on_cuda = device.type == "cuda"
    kind = ProfilerActivity.CUDA if on_cuda else ProfilerActivity.CPU
    wanted = DeviceType.CUDA if on_cuda else DeviceType.CPU
    wait = torch.get_device_module(device).synchronize
    wait()
    with profile(activities=[kind], acc_events=True) as seen:
        started = time.perf_counter()
        call()
        wait()
        seconds = time.perf_counter() - started
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in seen.events()
        if event.device_type == wanted
        and not event.name.startswith(COPIES)
        and not getattr(event, "is_user_annotation", False)
    ]
    return seconds, min(1.0, covered(spans) * 1e-6 / seconds)


def settings(device: torch.device, sizes: Sizes, data: Path, output: Path) -> SupervisedSettings:
    """Training from labels by the published recipe, at these sizes."""
    clips, frames, height, width = sizes.step
    return SupervisedSettings(
        dataset="hitsz-vcm",
        data_dir=data,
        output=output,
        device=device.type,  # type: ignore[arg-type]
        precision="fp16",
        backbone=sizes.backbone,
        weights="none",
        p_num=max(2, clips // 8),
        k_num=clips // max(2, clips // 8),
        num_frames=frames,
        test_frames=frames,
        img_h=height,
        img_w=width,
        cache="memory",
        workers=sizes.workers,
        epochs=3,
        steps=sizes.epoch,
    )


def busy_epoch(device: torch.device, sizes: Sizes, folder: Path) -> BusyEpoch:
    """Three epochs: one that warms up, one that is timed, one that is profiled.

    Args:
        device: where.
        sizes: of step, set and epoch.
        folder: for the set and the run.
    """
    render_dataset(folder / "data", preset=sizes.preset, progress=False)
    given = settings(device, sizes, folder / "data", folder / "run")
    with closing(RunFolder(given.output, "{}\n", resume=False)) as run:
        session = Session(given, "mmm", run, labelled=True)
        model, stage = start_supervised(session, given)
        optimiser = make_optimiser(model, given, given.lr)
        model.train()

        def epoch(number: int) -> int:
            totals = train_epoch(
                session.runtime,
                run,
                Position(stage.name, number, given.epochs, number * stage.steps),
                optimiser,
                stage.schedule.rate,
                stage.batches(number),
                stage.steps,
                stage.losses,
                stage.after_step,
            )
            return totals.clips

        epoch(0)
        wait = torch.get_device_module(device).synchronize
        wait()
        started = time.perf_counter()
        clips = epoch(1)
        wait()
        seconds = time.perf_counter() - started
        profiled, share = busy_share(lambda: epoch(2), device)
    return BusyEpoch(stage.steps, clips, seconds, profiled, share)
