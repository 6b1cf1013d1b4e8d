"""P identities × K tracks, without regard to modality."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .base import Deck, EpochBatchSampler, Seed, as_array, check_group, deal_groups, group_by


class IdentityBatchSampler(EpochBatchSampler):
    """Batches of P different identities with K tracks each, in consecutive entries.

    The published default of M3-ReID. In an epoch an identity gives ⌊n/K⌋ groups of K different
    tracks, or one group with repetition if it has fewer than K.
    """

    def __init__(self, identities: ArrayLike, p: int, k: int, *, seed: Seed = 0) -> None:
        """Groups the tracks.

        Args:
            identities: identity of each track, [N]; negative ones are never drawn.
            p: identities in a batch.
            k: tracks of each identity.
            seed: one or several non-negative integers.

        Raises:
            ValueError: if there are fewer than P identities.
        """
        super().__init__(seed)
        labels = as_array(identities, "identities")
        self._tracks = group_by(labels, np.arange(len(labels)))
        check_group(p, k, self._tracks)
        self.p, self.k = p, k

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        decks = {i: Deck(rows, generator) for i, rows in self._tracks.items()}
        groups = {i: max(1, len(rows) // self.k) for i, rows in self._tracks.items()}
        return [
            [row for i in chosen for row in decks[int(i)].deal(self.k)]
            for chosen in deal_groups(groups, self.p, generator)
        ]
