"""Streams of random numbers that depend on a key alone, so that a resumed run repeats them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator of the stream ``key``.

    Args:
        key: non-negative integers, for instance a run's seed, a stage and a step.
        device: where the numbers are drawn.
    """
    # The length belongs to the key, because SeedSequence pads with zeros.
    state = np.random.SeedSequence((len(key), *key)).generate_state(1, np.uint64)[0]
    return torch.Generator(device=device).manual_seed(int(state >> np.uint64(1)))


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Puts the global random states of Python, NumPy and torch back where they were."""
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - as the name says
    devices = range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
