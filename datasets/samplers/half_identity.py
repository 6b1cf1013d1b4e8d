"""Half infrared, half visible, the same identities in both halves."""

from __future__ import annotations

import numpy as np

from .base import TwoSidedBatchSampler
from .deck import Deck


class HalfIdentityBatchSampler(TwoSidedBatchSampler):
    """Batches of K/2 infrared tracks of P identities, then K/2 visible ones of the same.

    An epoch passes max(1, ⌊N/(identities · K)⌋) times over the identities; batches run on over
    the end of a pass, so all of them are full.
    """

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        decks = self._decks(generator)
        names = Deck(np.array(list(self._tracks), dtype=np.int64), generator)
        total = sum(len(infrared) + len(visible) for infrared, visible in self._tracks.values())
        passes = max(1, total // (len(self._tracks) * self.k))
        batches = []
        for _ in range(passes * len(self._tracks) // self.p):
            chosen = names.deal(self.p)
            halves = (
                [row for i in chosen for row in decks[i][s].deal(self.k // 2)] for s in (0, 1)
            )
            batches.append([row for half in halves for row in half])
        return batches
