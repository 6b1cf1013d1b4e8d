"""Effective batch and batch-norm batch: what a run has, and what its recipe asks for."""

from __future__ import annotations

import math
from typing import Any, Protocol

from . import ranks


class BatchSettings(Protocol):
    """Options of a batch, from wherever they come.

    Attributes:
        p_num, k_num: P identities with K clips each.
        bn_batch: clips that share batch-norm statistics; None = all that run together.
        accumulate: parts in which a batch is computed.
        recipe_batch: clips of a batch in the recipe; None = unknown.
    """

    @property
    def p_num(self) -> int: ...
    @property
    def k_num(self) -> int: ...
    @property
    def bn_batch(self) -> int | None: ...
    @property
    def accumulate(self) -> int: ...
    @property
    def recipe_batch(self) -> int | None: ...


def batch_record(settings: BatchSettings) -> dict[str, Any]:
    """What the record of a run says about its batches.

    Returns:
        ``batch``: P x K, whatever the number of processes; ``bn_batch``: clips of a P x K batch
        that share batch-norm statistics, about; ``accumulate``; ``processes``.
    """
    batch = settings.p_num * settings.k_num
    part = math.ceil(batch / settings.accumulate)
    return {
        "batch": batch,
        "bn_batch": part if settings.bn_batch is None else min(settings.bn_batch, part),
        "accumulate": settings.accumulate,
        "processes": ranks.count(),
    }


def batch_warnings(settings: BatchSettings) -> list[str]:
    """What to say where results may differ from the recipe's because of the batch."""
    facts = batch_record(settings)
    batch, bn_batch, recipe = facts["batch"], facts["bn_batch"], settings.recipe_batch
    notes = []
    if recipe is not None and batch != recipe:
        notes.append(
            f"warning: the effective batch is {batch} clips (--p-num {settings.p_num} x --k-num "
            f"{settings.k_num}), the recipe's is {recipe}; expect other results."
        )
    if settings.accumulate > 1:
        notes.append(
            f"warning: --accumulate {settings.accumulate}: the losses see all {batch} clips, batch "
            f"norm about {bn_batch} at a time."
        )
    elif recipe is not None and bn_batch != recipe and bn_batch != batch:
        notes.append(
            f"warning: batch norm sees {bn_batch} clips at a time (--bn-batch), in the recipe "
            f"{recipe}; expect other results."
        )
    return notes
