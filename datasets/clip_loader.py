"""Batches of clips, in this process or in worker processes, with the same result."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from .clip_reader import ClipReader
from .errors import CorruptFrames

Mode = Literal["train", "test"]
Request = tuple[int, list[int], tuple[int, ...]]
Share = tuple[int, int]
# Clips, track indices and newly met unreadable frames; or an error, which a data loader would
# otherwise rebuild from its text.
Answer = tuple[Tensor, Tensor, list[Path]] | CorruptFrames | OSError


class ClipLoader:
    """Iterates over the batches that a batch sampler lists.

    Batch b of epoch e is drawn from `(*seed, e, b)`, so neither the number of workers nor their
    timing changes a clip. Workers stay alive between epochs.
    """

    def __init__(
        self,
        reader: ClipReader,
        batches: Iterable[list[int]],
        seed: int | tuple[int, ...] = 0,
        mode: Mode = "train",
        workers: int = 0,
        num_frames: int | None = None,
        start_method: str | None = None,
        share: Share = (0, 1),
        first: int = 0,
    ) -> None:
        """Joins a reader and a batch sampler.

        Args:
            reader: source of clips.
            batches: track indices of each batch; iterated anew in every epoch.
            seed: one or several non-negative integers.
            mode: "train" for random frames, "test" for evenly spaced ones.
            workers: worker processes; 0 reads in this process.
            num_frames: frames of a clip; None takes the reader's.
            start_method: how workers start ("spawn", "fork", …); None takes the platform's way.
            share: number of this process, and of how many; it reads every so-many-th clip of a
                batch, and gets what a reader of the whole batch would get. A batch of fewer clips
                than processes is read by each of them.
            first: batches before this number are left out of an epoch, unread; the others are drawn
                as ever.

        Raises:
            ValueError: if `mode` is unknown, `workers` is negative, or the share does not exist.
        """
        if mode not in ("train", "test"):
            raise ValueError(f'mode is "train" or "test"; got {mode!r}')
        if workers < 0:
            raise ValueError(f"workers is at least 0; got {workers}")
        if not 0 <= share[0] < share[1]:
            raise ValueError(f"share is (number, count) with 0 <= number < count; got {share}")
        self._batches = batches
        self._requests = _Requests(
            batches, (seed,) if isinstance(seed, int) else tuple(seed), first
        )
        self._reader = reader
        self._clips = _ClipBatches(reader, mode, num_frames, share)
        self._loader: DataLoader[Answer] | None = None
        if workers:
            self._loader = DataLoader(
                self._clips,
                batch_size=None,
                sampler=self._requests,
                num_workers=workers,
                multiprocessing_context=start_method,
                persistent_workers=True,
                worker_init_fn=_leave_signals_to_the_parent,
            )

    def set_epoch(self, epoch: int) -> None:
        """Changes the draws, and those of the batch sampler if it knows epochs, counted from 0."""
        self._requests.epoch = epoch
        set_epoch = getattr(self._batches, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)

    def __len__(self) -> int:
        """Number of batches in the present epoch."""
        return len(self._requests)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields clips, [B, T, 3, H, W], uint8, and their track indices, [B], int64.

        With a share of the batch there are fewer clips; the indices are those of the whole batch.

        Unreadable frames that worker processes met are added to the reader's `corrupt`.

        Raises:
            CorruptFrames: if a frame is unreadable and the reader does not skip it.
        """
        answers: Iterable[Answer] = (self._clips[request] for request in self._requests)
        if self._loader is not None:
            answers = self._loader
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
            clips, indices, corrupt = answer
            self._reader.corrupt += [path for path in corrupt if path not in self._reader.corrupt]
            yield clips, indices


def lost_worker(error: BaseException) -> str | None:
    """What to say where torch tells, by a ``RuntimeError`` anywhere, that a worker is gone.

    Args:
        error: any.

    Returns:
        None for another error.
    """
    text = str(error)
    if not isinstance(error, RuntimeError) or "DataLoader worker" not in text:
        return None
    memory = " (Bus error: the shared memory, /dev/shm, is full)" if "Bus error" in text else ""
    return (
        f"a process that reads frames was killed from outside{memory}, for want of memory for "
        "instance. Lower --workers or --batch-size if it happens again."
    )


def _leave_signals_to_the_parent(_: int) -> None:
    """A scheduler signals all processes of a job; the one that trains still needs its workers."""
    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def shares(clips: int, processes: int) -> list[slice]:
    """Which clips of a batch each process reads; all of them where there are too few to share."""
    if clips < processes:
        return [slice(None)] * processes
    return [slice(number, None, processes) for number in range(processes)]


class _Requests(Sampler[Request]):
    """The batch sampler's lists together with each batch's number and seed."""

    def __init__(self, batches: Iterable[list[int]], seed: tuple[int, ...], first: int) -> None:
        self.batches = batches
        self.seed = seed
        self.first = first
        self.epoch = 0

    def __iter__(self) -> Iterator[Request]:
        for number, batch in enumerate(self.batches):
            if number >= self.first:
                yield number, list(batch), (*self.seed, self.epoch)

    def __len__(self) -> int:
        return max(0, len(self.batches) - self.first)  # type: ignore[arg-type]


class _ClipBatches(Dataset[Answer]):
    """Answers requests; this is what travels to a worker process."""

    def __init__(
        self, reader: ClipReader, mode: Mode, num_frames: int | None, share: Share
    ) -> None:
        self.reader = reader
        self.mode = mode
        self.num_frames = num_frames
        self.share = share

    def __getitem__(self, request: Request) -> Answer:
        number, indices, seed = request
        known = len(self.reader.corrupt)
        part = shares(len(indices), self.share[1])[self.share[0]]
        try:
            if self.mode == "train":
                clips = self.reader.train_clips(indices, (*seed, number), self.num_frames, part)
            else:
                clips = self.reader.test_clips(indices[part], self.num_frames)
        except (CorruptFrames, OSError) as error:
            return error
        return clips, torch.tensor(indices, dtype=torch.int64), self.reader.corrupt[known:]
