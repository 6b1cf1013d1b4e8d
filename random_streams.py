"""Streams of random numbers that depend on a key alone, so that a resumed run repeats them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class Draw(IntEnum):
    """What numbers are drawn for; two uses never share a stream, whatever their keys.

    Attributes:
        ORDER: order of the training tracks.
        LABELS: tracks whose labels a semi-supervised run is given.
        BATCHES: batches of an epoch.
        CLIPS: frames of the clips of a batch.
        REHEARSAL: the batch of a dry run.
        RESAMPLING: people of a bootstrap.
    """

    ORDER = 1
    LABELS = 2
    BATCHES = 3
    CLIPS = 4
    REHEARSAL = 5
    RESAMPLING = 6


def _sequence(*key: int) -> np.random.SeedSequence:
    # The length belongs to the key, because SeedSequence pads with zeros.
    return np.random.SeedSequence((len(key), *key))


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator of the stream ``key``.

    Args:
        key: non-negative integers, for instance a run's seed, a stage and a step.
        device: where the numbers are drawn.
    """
    import torch  # here, because settings draw too, and load without it

    state = _sequence(*key).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


def numpy_generator(draw: Draw, *key: int) -> np.random.Generator:
    """A NumPy generator of the stream ``key``; its numbers are not those of :func:`generator`.

    Args:
        draw: what the numbers are for.
        key: non-negative integers, for instance a run's seed, a stage and an epoch. Sums of them
            would let a stage share its numbers with another stage at another seed.
    """
    return np.random.default_rng(_sequence(int(draw), *key))


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Puts the global random states of Python, NumPy and torch back where they were."""
    import torch

    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - as the name says
    devices = range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
