"""Moves rows sample by sample, in batch order, without a loop over the samples."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .validation import NOISE

SHORTEST = 1e-12  # a row is divided by its length or by this, as torch's normalize does


def write_samples(
    rows: Tensor, samples: Tensor, targets: Tensor, momentum: float, most: int | None = None
) -> None:
    """Applies row ← normalise(momentum·row + (1 − momentum)·sample) for each sample in turn.

    The rule is sequential through the lengths, but samples of different rows do not meet: all
    first samples of their row go at once, then all second ones, and so on.

    Args:
        rows: ``[C, D]``, changed in place.
        samples: ``[B, D]``, in batch order.
        targets: row of each sample, ``[B]`` int64; −1 writes nothing.
        momentum: share of the old row, 0 to 1.
        most: samples that meet on one row, at most; None where only the device knows. Spares a CUDA
            device rounds in which nothing is written.
    """
    if len(targets) == 0:
        return
    work = rows.to(samples.dtype)
    writes = targets != NOISE
    # A sample that writes nothing looks at row 0, so that no shape depends on the values.
    slot = targets.clamp_min(0)
    mine = (slot[:, None] == slot) & writes
    if rows.device.type == "cpu":
        _write_in_turn(work, samples, slot, mine, momentum)
    else:
        _write_without_waiting(work, samples, slot, mine, momentum, most)
    if work is not rows:
        rows.copy_(work)


def _write_in_turn(
    rows: Tensor, samples: Tensor, slot: Tensor, mine: Tensor, momentum: float
) -> None:
    """As many rounds as the fullest row has samples, each on the samples whose turn it is."""
    turn = (mine.tril().sum(1) * mine.diagonal()).tolist()
    for number in range(1, max(turn) + 1):
        now = [sample for sample, place in enumerate(turn) if place == number]
        rows[slot[now]] = _moved(rows[slot[now]], samples[now], momentum)


def _write_without_waiting(
    rows: Tensor,
    samples: Tensor,
    slot: Tensor,
    mine: Tensor,
    momentum: float,
    most: int | None = None,
) -> None:
    """Nothing waits for the device.

    Which samples take part in a round is known to the device only, so every sample carries its
    row's state along.
    """
    turn = mine.cumsum(1)
    state = rows[slot]
    for number in range(1, (len(slot) if most is None else most) + 1):
        now = mine & (turn == number)
        moved = _moved(state, samples[now.int().argmax(1)], momentum)
        state = moved.where(now.any(1, keepdim=True), state)
    # All samples of a row carry the same state: whichever is written last, it is this one.
    rows[slot] = state


def most_of_one(labels: Tensor) -> int | None:
    """How often the commonest label is there, noise aside; None if only a device knows the labels.

    Args:
        labels: ``[B]`` int64.
    """
    if labels.device.type != "cpu":
        return None
    kept = labels[labels != NOISE]
    return int(kept.bincount().max()) if len(kept) else 0


def _moved(rows: Tensor, samples: Tensor, momentum: float) -> Tensor:
    return functional.normalize(momentum * rows + (1 - momentum) * samples, dim=1, eps=SHORTEST)
