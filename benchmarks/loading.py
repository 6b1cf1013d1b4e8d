"""Epochs of clips by worker processes: new ones for each epoch, or one set for all."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from vireid.datasets import ClipLoader, ClipReader, ClipWorkers
from vireid.datasets.track import Track

from . import plain_decode
from .decode import CPU, FRAMES, SOURCE, TARGET, write_pictures
from .measure import Measured, measure
from .table import Table, duration, parser

BATCH = 8
PAGES = ("Private_Clean", "Private_Dirty")


@dataclass
class Reading:
    """What a run of epochs showed beside its time.

    Attributes:
        waits: seconds until the first batch of each epoch.
        workers_mib: most that the workers held for themselves at one time.
        last: clips of the last epoch.
    """

    waits: list[float] = field(default_factory=list)
    workers_mib: float = 0.0
    last: list[Tensor] = field(default_factory=list)

    def epoch(self, batches: Callable[[], Iterable[tuple[Tensor, Tensor]]]) -> None:
        """Takes the batches of an epoch, and computes nothing with them."""
        started = time.perf_counter()
        self.last = []
        for number, (clips, _) in enumerate(batches()):
            if number == 0:
                self.waits.append(time.perf_counter() - started)
                self._look()
            self.last.append(clips)
        self._look()

    def _look(self) -> None:
        children = multiprocessing.active_children()
        self.workers_mib = max(self.workers_mib, sum(own_mib(child.pid) for child in children))


def own_mib(process: int | None) -> float:
    """Mebibytes that a process shares with no other; 0 where the system cannot tell."""
    table = Path(f"/proc/{process}/smaps_rollup")
    if not table.exists():
        return 0.0
    lines = (line.split() for line in table.read_text().splitlines())
    return sum(int(line[1]) for line in lines if line[0].rstrip(":") in PAGES) / 1024


class FrameByFrame(Dataset[tuple[Tensor, int]]):
    """Clips as released code reads them: one at a time, frame by frame with Pillow."""

    def __init__(self, tracks: Sequence[Track]) -> None:
        self.tracks = tracks

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        frames = (plain_decode.decode(path) for path in self.tracks[index].frames)
        pixels = [np.asarray(plain_decode.resize(frame, *TARGET)) for frame in frames]
        return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2), index


class Ways:
    """The same epochs, read in different ways.

    Args:
        tracks: of six frames, so that a clip is a whole track.
        epochs: how many.
        steps: batches of an epoch.
        workers: processes.
    """

    def __init__(self, tracks: list[Track], epochs: int, steps: int, workers: int) -> None:
        self.tracks = tracks
        self.workers = workers
        self.reader = ClipReader(
            tracks, height=TARGET[0], width=TARGET[1], num_frames=FRAMES, cache="none"
        )
        draw = np.random.default_rng(0)
        self.epochs = [
            draw.integers(0, len(tracks), (steps, BATCH)).tolist() for _ in range(epochs)
        ]

    def plain(self) -> Reading:
        """A data loader, hence workers, for each epoch."""
        seen = Reading()
        for batches in self.epochs:
            seen.epoch(
                lambda batches=batches: DataLoader(  # type: ignore[misc]
                    FrameByFrame(self.tracks), batch_sampler=batches, num_workers=self.workers
                )
            )
        return seen

    def anew(self) -> Reading:
        """Workers for each epoch, each with as many decoding threads as the reader itself has."""
        seen = Reading()
        for batches in self.epochs:
            threads = self.reader.workers
            with ClipWorkers([self.reader], self.workers, threads=threads) as workers:
                seen.epoch(partial(ClipLoader, self.reader, batches, workers=workers))
        return seen

    def kept(self) -> Reading:
        """One set of workers, which share the cores."""
        seen = Reading()
        with ClipWorkers([self.reader], self.workers) as workers:
            for batches in self.epochs:
                seen.epoch(partial(ClipLoader, self.reader, batches, workers=workers))
        return seen

    def alone(self) -> Reading:
        """In this process."""
        seen = Reading()
        for batches in self.epochs:
            seen.epoch(partial(ClipLoader, self.reader, batches))
        return seen


def measured(call: Callable[[], Reading]) -> Measured[Reading]:
    """Time and memory of a call and of the processes that it starts and ends."""
    before = _children()
    found = measure(call, CPU)
    own = None if found.mebibytes is None else found.mebibytes + found.result.workers_mib
    return replace(found, cpu_seconds=found.cpu_seconds + _children() - before, mebibytes=own)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def compare(table: Table, ways: Ways, rounds: int) -> None:
    """Each way in turns, so that other work on the machine disturbs all alike."""
    calls = {
        f"plain: a data loader an epoch, Pillow, {ways.workers} workers": ways.plain,
        f"ours, {ways.workers} new workers an epoch": ways.anew,
        f"ours, {ways.workers} workers kept": ways.kept,
        "ours, in this process": ways.alone,
    }
    runs: dict[str, list[Measured[Reading]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            runs[name].append(measured(call))
    clips = [torch.cat(found[-1].result.last).int() for found in runs.values()]
    apart = max(int((other - clips[-1]).abs().max()) for other in clips[:-1])
    number = len(ways.epochs)
    table.section(f"{number} epochs of {len(ways.epochs[0])} batches of {BATCH} clips")
    plain = None
    for name, found in runs.items():
        best = replace(
            found[0],
            seconds=min(one.seconds for one in found),
            cpu_seconds=min(one.cpu_seconds for one in found),
            mebibytes=max(one.mebibytes or 0 for one in found),
        )
        times = sorted(one.seconds for one in found)
        middle, each = median(times), [time for one in found for time in one.result.waits[1:]]
        table.row(
            f"{name}: {number / best.seconds:.2f} epochs/s (median {number / middle:.2f}, slowest "
            f"{number / times[-1]:.2f}); first batch of a later epoch after "
            f"{duration(median(each))}",
            best,
            plain,
        )
        plain = plain or best
    table.remark(
        "CPU time and memory include the workers: their time on cores, and the most that they held "
        "for themselves after the first batch or at the end of an epoch. The largest difference of "
        f"a pixel between the ways is {apart} of 255."
    )


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--tracks", type=int, default=64)
    flags.add_argument("--epochs", type=int, default=8)
    flags.add_argument("--steps", type=int, default=8, help="batches of an epoch")
    flags.add_argument("--workers", type=int, default=2)
    flags.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    given = flags.parse_args()
    if given.quick:
        given.tracks, given.epochs, given.steps, given.rounds = 8, 3, 2, 2
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        ways = Ways(
            write_pictures(Path(folder), given.tracks), given.epochs, given.steps, given.workers
        )
        table = Table("loading", CPU)
        table.remark(
            f"JPEGs of {SOURCE[0]}x{SOURCE[1]} to {TARGET[0]}x{TARGET[1]}, {FRAMES} to a clip; "
            f"nothing is cached by us, the files are in the system's cache. A process of its own "
            f"decodes with {ways.reader.workers} threads, a worker that is kept with "
            f"{ClipWorkers([], given.workers).threads}. Measured in turns, {given.rounds} rounds, "
            "shortest time of each."
        )
        compare(table, ways, given.rounds)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
