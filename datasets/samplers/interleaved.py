"""Infrared and visible tracks in turn, identity by identity."""

from __future__ import annotations

import numpy as np

from .base import TwoSidedBatchSampler, deal_groups


class InterleavedBatchSampler(TwoSidedBatchSampler):
    """Batches of P identities × K tracks that alternate infrared, visible, infrared, …

    An identity gives max(1, ⌊min(infrared, visible) / (K/2)⌋) groups an epoch; a side that is
    shorter than K/2 repeats.
    """

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        half = self.k // 2
        decks = self._decks(generator)
        groups = {i: max(1, min(map(len, pair)) // half) for i, pair in self._tracks.items()}
        batches = []
        for chosen in deal_groups(groups, self.p, generator):
            batch: list[int] = []
            for i in chosen:
                infrared, visible = decks[int(i)]
                for pair in zip(infrared.deal(half), visible.deal(half)):
                    batch += pair
            batches.append(batch)
        return batches
