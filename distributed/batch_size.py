"""Effective batch and batch-norm batch: what a run has, and what its recipe asks for."""

from __future__ import annotations

import math
from typing import Any

from ..engine.options import BatchOptions
from . import ranks


def batch_record(config: BatchOptions) -> dict[str, Any]:
    """What the record of a run says about its batches.

    Returns:
        ``batch``: P x K, whatever the number of processes; ``bn_batch``: clips of a P x K batch
        that share batch-norm statistics, about; ``accumulate``; ``processes``.
    """
    batch = config.p_num * config.k_num
    part = math.ceil(batch / config.accumulate)
    return {
        "batch": batch,
        "bn_batch": part if config.bn_batch is None else min(config.bn_batch, part),
        "accumulate": config.accumulate,
        "processes": ranks.count(),
    }


def batch_warnings(config: BatchOptions) -> list[str]:
    """What to say where results may differ from the recipe's because of the batch."""
    facts = batch_record(config)
    batch, bn_batch, recipe = facts["batch"], facts["bn_batch"], config.recipe_batch
    notes = []
    if recipe is not None and batch != recipe:
        notes.append(
            f"warning: the effective batch is {batch} clips (--p-num {config.p_num} x --k-num "
            f"{config.k_num}), the recipe's is {recipe}; expect other results."
        )
    if config.accumulate > 1:
        notes.append(
            f"warning: --accumulate {config.accumulate}: the losses see all {batch} clips, batch "
            f"norm about {bn_batch} at a time."
        )
    elif recipe is not None and bn_batch != recipe and bn_batch != batch:
        notes.append(
            f"warning: batch norm sees {bn_batch} clips at a time (--bn-batch), in the recipe "
            f"{recipe}; expect other results."
        )
    return notes
