"""Batches of clips, in this process or by worker processes, with the same result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from torch import Tensor

from .clip_reader import ClipReader
from .clip_workers import ClipRequest, ClipWorkers

Mode = Literal["train", "test"]
Share = tuple[int, int]


class ClipLoader:
    """Iterates over the batches that a batch sampler lists.

    Batch b of epoch e is drawn from `(*seed, e, b)`, so neither the number of workers nor their
    timing changes a clip.
    """

    def __init__(
        self,
        reader: ClipReader,
        batches: Iterable[list[int]],
        seed: int | tuple[int, ...] = 0,
        mode: Mode = "train",
        workers: int | ClipWorkers = 0,
        num_frames: int | None = None,
        share: Share = (0, 1),
        first: int = 0,
    ) -> None:
        """Joins a reader and a batch sampler.

        Args:
            reader: source of clips.
            batches: track indices of each batch; iterated anew in every epoch.
            seed: one or several non-negative integers.
            mode: "train" for random frames, "test" for evenly spaced ones.
            workers: worker processes, kept between epochs; 0 reads in this process. Or workers that
                know the reader, which several loaders may use, one after the other.
            num_frames: frames of a clip; None takes the reader's.
            share: number of this process, and of how many; it reads every so-many-th clip of a
                batch, and gets what a reader of the whole batch would get. A batch of fewer clips
                than processes is read by each of them.
            first: batches before this number are left out of an epoch, unread; the others are drawn
                as ever.

        Raises:
            ValueError: if `mode` is unknown, `workers` is negative or does not know the reader, or
                the share does not exist.
        """
        if mode not in ("train", "test"):
            raise ValueError(f'mode is "train" or "test"; got {mode!r}')
        if not 0 <= share[0] < share[1]:
            raise ValueError(f"share is (number, count) with 0 <= number < count; got {share}")
        self._workers = ClipWorkers([reader], workers) if isinstance(workers, int) else workers
        numbers = [n for n, known in enumerate(self._workers.readers) if known is reader]
        if not numbers:
            raise ValueError("the workers do not know the reader: name it where they are made")
        self._reader = reader
        self._number = numbers[0]
        self._batches = batches
        self._seed = (seed,) if isinstance(seed, int) else tuple(seed)
        self._mode = mode
        self._num_frames = num_frames
        self._share = share
        self._first = first
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Changes the draws, and those of the batch sampler if it knows epochs, counted from 0."""
        self._epoch = epoch
        set_epoch = getattr(self._batches, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)

    def __len__(self) -> int:
        """Number of batches in the present epoch."""
        return max(0, len(self._batches) - self._first)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields clips, [B, T, 3, H, W], uint8, and their track indices, [B], int64.

        With a share of the batch there are fewer clips; the indices are those of the whole batch.

        Unreadable frames that worker processes met are added to the reader's `corrupt`.

        Raises:
            CorruptFrames: if a frame is unreadable and the reader does not skip it.
            LostWorker: if a worker process was killed.
            RuntimeError: if the workers were asked for other clips before these were through.
        """
        for answer in self._workers.read(self._requests()):
            if isinstance(answer, Exception):
                raise answer
            clips, indices, corrupt = answer
            self._reader.corrupt += [path for path in corrupt if path not in self._reader.corrupt]
            yield clips, indices

    def _requests(self) -> Iterator[ClipRequest]:
        epoch = self._epoch
        for number, batch in enumerate(self._batches):
            if number >= self._first:
                part = shares(len(batch), self._share[1])[self._share[0]]
                seed = (*self._seed, epoch, number) if self._mode == "train" else None
                yield ClipRequest(self._number, list(batch), part, self._num_frames, seed)


def shares(clips: int, processes: int) -> list[slice]:
    """Which clips of a batch each process reads; all of them where there are too few to share."""
    if clips < processes:
        return [slice(None)] * processes
    return [slice(number, None, processes) for number in range(processes)]
