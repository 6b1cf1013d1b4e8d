"""Sizes at which a card is measured, and tiny ones at which every line of that is tried."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What the figures of a card are taken at.

    Attributes:
        backbone: of the networks.
        step: clips, frames, height, width of a training step.
        extraction: the same of a batch of feature extraction.
        tracks: rows N of a clustering: SYSU-MM01's infrared, visible, and all training images.
        width: length D of a feature.
        dense: most rows of the dense clustering of released code.
        rankings: queries and gallery items, from single-shot SYSU-MM01 to a large gallery.
        rounds: calls of which the median is taken.
        preset: of the synthetic set.
        epoch: batches of the epoch in which the card's busy time is looked for.
        workers: processes that prepare clips for it.
    """

    backbone: str = "resnet50"
    step: tuple[int, int, int, int] = (32, 6, 288, 144)
    extraction: tuple[int, int, int, int] = (64, 6, 288, 144)
    tracks: tuple[int, ...] = (11_909, 22_258, 34_167)
    width: int = 2048
    dense: int = 11_909
    rankings: tuple[tuple[int, int], ...] = ((3_803, 301), (4_584, 5_099), (3_368, 15_913))
    rounds: int = 10
    preset: str = "bench"
    epoch: int = 40
    workers: int = max(1, min(12, (os.cpu_count() or 2) - 2))


SMALL = Sizes(
    backbone="thin-8",
    step=(4, 2, 32, 16),
    extraction=(4, 2, 32, 16),
    tracks=(300,),
    width=16,
    dense=300,
    rankings=((40, 30), (30, 60)),
    rounds=2,
    preset="tiny",
    epoch=2,
    workers=0,
)
