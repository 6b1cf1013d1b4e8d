"""Moves rows sample by sample, in batch order, without a Python loop over the samples."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .cuda_writer import cuda_writer
from .validation import NOISE

SHORTEST = 1e-12  # a row is divided by its length or by this, as torch's normalize does


def write_samples(rows: Tensor, samples: Tensor, targets: Tensor, momentum: float) -> None:
    """Applies row ← normalise(momentum·row + (1 − momentum)·sample) for each sample in turn.

    The rule is sequential through the lengths, but only among the samples of one row. On the
    CPU a compiled loop walks through the batch; on CUDA one kernel gives every row a program of its
    own, and nothing waits for the device. Elsewhere, and where CUDA has no kernel compiler,
    ``write_in_rounds`` does the same with plain tensor operations.

    Args:
        rows: ``[C, D]``, changed in place.
        samples: ``[B, D]``, in batch order.
        targets: row of each sample, ``[B]`` int64; −1 writes nothing.
        momentum: share of the old row, 0 to 1.
    """
    if len(targets) == 0:
        return
    work = rows if rows.dtype == samples.dtype else rows.to(samples.dtype)
    writer = cuda_writer() if rows.is_cuda else None
    if rows.device.type == "cpu":
        _write(work.numpy(), samples.numpy(), targets.numpy(), momentum)
    elif writer is not None:
        writer(work, samples, targets, momentum)
    else:
        write_in_rounds(work, samples, targets, momentum)
    if work is not rows:
        rows.copy_(work)


def write_in_rounds(rows: Tensor, samples: Tensor, targets: Tensor, momentum: float) -> None:
    """``write_samples`` by tensor operations alone, on any device, without waiting for it.

    Samples of different rows do not meet, so all first samples of their row go at once, then
    all second ones, and so on. How many rounds it takes is known to the device only, so there are
    as many as the worst batch needs.

    Args:
        rows: ``[C, D]``, changed in place, in the samples' dtype.
        samples: as for ``write_samples``, as are the others.
        targets: ``[B]``.
        momentum: share of the old row.
    """
    writes = targets != NOISE
    # A sample that writes nothing follows row 0 along, so that no shape depends on the values.
    slot = targets.clamp_min(0)
    mine = (slot[:, None] == slot) & writes
    turn = mine.cumsum(1)
    state = rows[slot]
    for number in range(1, len(targets) + 1):
        now = mine & (turn == number)
        moved = momentum * state + (1 - momentum) * samples[now.int().argmax(1)]
        moved = functional.normalize(moved, dim=1, eps=SHORTEST)
        state = moved.where(now.any(1, keepdim=True), state)
    # All samples of a row carry the same state: whichever is written last, it is this one.
    rows[slot] = state


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _write(
    rows: NDArray[np.floating],
    samples: NDArray[np.floating],
    targets: NDArray[np.int64],
    momentum: float,
) -> None:
    keep, take = rows.dtype.type(momentum), rows.dtype.type(1 - momentum)
    for i in range(len(targets)):
        if targets[i] < 0:
            continue
        row, sample = rows[targets[i]], samples[i]
        square = rows.dtype.type(0)
        for d in range(len(row)):
            row[d] = keep * row[d] + take * sample[d]
            square += row[d] * row[d]
        length = rows.dtype.type(max(np.sqrt(square), SHORTEST))
        for d in range(len(row)):
            row[d] /= length
