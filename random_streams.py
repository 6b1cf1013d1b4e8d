"""Streams of random numbers that depend on a key alone, so that a resumed run repeats them."""

from __future__ import annotations

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
