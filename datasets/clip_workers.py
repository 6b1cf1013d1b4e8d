"""The processes that read clips: started once, and asked by every epoch, stage and extraction."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from .clip_reader import ClipReader
from .errors import CorruptFrames, LostWorker

MOST_THREADS = 8
ENDING_S = 5.0  # a process that was killed is gone long before
Result = TypeVar("Result")
# Clips, track indices and newly met unreadable frames; or an error, which a data loader would
# otherwise rebuild from its text.
Answer = tuple[Tensor, Tensor, list[Path]] | CorruptFrames | OSError


class ClipRequest(NamedTuple):
    """A batch of clips that somebody wants; this is all that travels to a worker.

    Attributes:
        reader: number of the reader.
        tracks: indices of the whole batch.
        part: which of them are wanted.
        num_frames: frames T of a clip; None takes the reader's.
        seed: what random frames depend on; None asks for evenly spaced ones.
    """

    reader: int
    tracks: list[int]
    part: slice
    num_frames: int | None
    seed: tuple[int, ...] | None


class ClipWorkers:
    """Reads clips for whoever asks, in worker processes or in this one.

    The processes start with the first request and serve all later ones, of any reader, until
    :meth:`close`, the end of the ``with`` block or the end of Python; a request after that starts
    new ones. They hear no SIGTERM and no SIGUSR1, which a scheduler sends to every process of a
    job: the one that trains still needs its workers.

    Args:
        readers: sources of clips. What changes in them after the first request, the workers do not
            see.
        count: worker processes; 0 reads in this process.
        pin: give clips in page-locked memory, from which copies to a CUDA device run beside the
            computation.
        threads: decoding threads of each worker; None takes :func:`decoding_threads` of ``count``.
            In this process the readers keep theirs.
        start_method: how workers start ("spawn", "fork", …); None takes the platform's way.

    Raises:
        ValueError: ``count`` is negative, or ``threads`` below 1.
    """

    def __init__(
        self,
        readers: Sequence[ClipReader],
        count: int = 0,
        *,
        pin: bool = False,
        threads: int | None = None,
        start_method: str | None = None,
    ) -> None:
        if count < 0:
            raise ValueError(f"workers is at least 0; got {count}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is at least 1; got {threads}")
        self.readers = tuple(readers)
        self.count = count
        self.pin = pin
        self.threads = decoding_threads(count) if threads is None else threads
        self.processes: tuple[BaseProcess, ...] = ()
        self._start_method = start_method
        self._requests = _Requests()
        self._loader: DataLoader[Answer] | None = None
        self._uses = 0

    def read(self, requests: Iterable[ClipRequest]) -> Iterator[Answer]:
        """Answers requests in their order; workers read ahead, two requests each.

        Args:
            requests: read as far as the answers are taken, and by the workers ahead of that.

        Raises:
            LostWorker: one of the processes is gone; the others are ended.
            RuntimeError: other requests were made before these were through, and there are workers.
        """
        self._uses += 1
        use = self._uses
        self._requests.now = requests
        answers = self._watched(self._started)
        while (answer := self._watched(lambda: next(answers, None))) is not None:
            yield answer
            if use != self._uses and self.count:
                raise RuntimeError(
                    "the workers were asked for other clips before these were through; finish one "
                    "reading first, or give each workers of its own"
                )

    def _watched(self, step: Callable[[], Result]) -> Result:
        """A step in which a worker may turn out to be gone."""
        try:
            return step()
        except (RuntimeError, EOFError, OSError) as error:
            try:
                lost = lost_worker(error) or self._lost()
                self.close()
            except RuntimeError as late:  # torch's own word of it, which comes as a signal
                lost = lost_worker(late)
                if lost is None:
                    raise
                self.close()
            if lost is None:
                raise
            raise lost from error

    def _lost(self) -> LostWorker | None:
        """Whether a worker is gone, or going: its connections break before it is seen to end."""
        for number in wait([process.sentinel for process in self.processes], ENDING_S):
            for process in self.processes:
                if process.sentinel == number:
                    process.join(ENDING_S)
                    return LostWorker(full=process.exitcode == -getattr(signal, "SIGBUS", 0))
        return None

    def _started(self) -> Iterator[Answer]:
        """The answers to the present requests."""
        if self._loader is None:
            self._loader = DataLoader(
                _Answers(self.readers),
                batch_size=None,
                sampler=self._requests,
                num_workers=self.count,
                multiprocessing_context=self._start_method if self.count else None,
                persistent_workers=self.count > 0,
                worker_init_fn=partial(_begin, self.threads),
                pin_memory=self.pin,
                # Of its own: a reading must not move the draws of the rest of the program.
                generator=torch.Generator(),
            )
        if not self.count or self.processes:
            return iter(self._loader)
        before = set(multiprocessing.active_children())
        _OPEN.add(self)
        try:
            return iter(self._loader)
        finally:
            self.processes = tuple(set(multiprocessing.active_children()) - before)

    def close(self) -> None:
        """Ends the processes; the memory of clips that nobody took is free again."""
        # References would do, but a traceback may hold some for as long as it likes.
        iterator = getattr(self._loader, "_iterator", None)
        try:
            if iterator is not None:
                iterator._shutdown_workers()
        except RuntimeError as error:
            if lost_worker(error) is None:  # one was killed at this very moment
                raise
        finally:
            for process in self.processes:  # what is stuck in a read hears no SIGTERM
                if process.is_alive():
                    process.kill()
                process.join()
            self._loader, self.processes = None, ()  # last, for a signal may end this anywhere

    def __enter__(self) -> ClipWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# Python ends the daemons that are left by a SIGTERM, which they do not hear, and waits for them.
_OPEN: weakref.WeakSet[ClipWorkers] = weakref.WeakSet()


def _close_all() -> None:
    for workers in tuple(_OPEN):
        workers.close()


atexit.register(_close_all)


def decoding_threads(processes: int) -> int:
    """Threads for each of several processes that decode, so that they share the cores.

    Args:
        processes: how many decode on this machine; 0 counts as 1.

    Returns:
        1 to 8.
    """
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    return max(1, min(MOST_THREADS, cores // max(1, processes)))


def lost_worker(error: BaseException) -> LostWorker | None:
    """What torch tells by a ``RuntimeError``, wherever the main thread is: a worker is gone.

    Args:
        error: any.

    Returns:
        None for another error.
    """
    text = str(error)
    if not isinstance(error, RuntimeError) or "DataLoader worker" not in text:
        return None
    return LostWorker(full="Bus error" in text)


def _begin(threads: int, _: int) -> None:
    """What a worker does first."""
    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    info = get_worker_info()
    assert info is not None and isinstance(info.dataset, _Answers)
    for reader in info.dataset.readers:
        reader.workers = threads


class _Requests(Sampler[ClipRequest]):
    """What the loader samples: the requests of the present use."""

    now: Iterable[ClipRequest] = ()

    def __iter__(self) -> Iterator[ClipRequest]:
        return iter(self.now)


class _Answers(Dataset[Answer]):
    """Answers requests; this is what a worker process starts with."""

    def __init__(self, readers: tuple[ClipReader, ...]) -> None:
        self.readers = readers

    def __getitem__(self, request: ClipRequest) -> Answer:
        reader = self.readers[request.reader]
        known = len(reader.corrupt)
        tracks, part = request.tracks, request.part
        try:
            if request.seed is None:
                clips = reader.test_clips(tracks[part], request.num_frames)
            else:
                clips = reader.train_clips(tracks, request.seed, request.num_frames, part)
        except (CorruptFrames, OSError) as error:
            return error
        return clips, torch.tensor(tracks, dtype=torch.int64), reader.corrupt[known:]
