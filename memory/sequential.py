"""Moves rows sample by sample, in batch order, without a loop over the samples."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .validation import NOISE


def write_samples(rows: Tensor, samples: Tensor, targets: Tensor, momentum: float) -> None:
    """Applies row ← normalise(momentum·row + (1 − momentum)·sample) for each sample in turn.

    Samples of different rows do not meet, so all first samples of their row go at once, then
    all second ones, and so on: as many rounds as the most frequent target has samples.

    Args:
        rows: ``[C, D]``, changed in place.
        samples: ``[B, D]``, in batch order.
        targets: row of each sample, ``[B]`` int64; −1 writes nothing.
        momentum: share of the old row, 0 to 1.
    """
    if len(targets) == 0:
        return
    writes = targets != NOISE
    # A sample that writes nothing follows row 0 along, so that no shape depends on the values.
    slot = targets.clamp_min(0)
    order = torch.arange(len(targets), device=targets.device)
    mine = (slot[:, None] == slot) & writes
    turn = (mine & (order < order[:, None])).sum(1)
    rounds = int(mine.sum(1).max())
    state = rows[slot].to(samples.dtype)
    for number in range(rounds):
        now = mine & (turn == number)
        sample = samples[now.int().argmax(1)]
        moved = functional.normalize(momentum * state + (1 - momentum) * sample, dim=1)
        state = torch.where(now.any(1, keepdim=True), moved, state)
    # All samples of a row carry the same state: whichever is written last, it is this one.
    rows[slot] = state.to(rows.dtype)
