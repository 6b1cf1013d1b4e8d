"""Half infrared, half visible, the same identities in both halves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .base import EpochBatchSampler, Missing, as_array, both_modalities, check_group
from .deck import Deck


class HalfIdentityBatchSampler(EpochBatchSampler):
    """Batches of K/2 infrared tracks of P identities, then K/2 visible ones of the same.

    An epoch passes max(1, ⌊N/(identities · K)⌋) times over the identities; batches run on over
    the end of a pass, so all of them are full.
    """

    def __init__(
        self,
        identities: ArrayLike,
        modalities: ArrayLike,
        p: int,
        k: int,
        *,
        missing: Missing = "error",
        seed: int = 0,
    ) -> None:
        """Groups the tracks.

        Args:
            identities: identity of each track, [N]; negative ones are never drawn.
            modalities: modality of each track, [N].
            p: identities in a batch.
            k: tracks of each identity, even.
            missing: what to do with identities of one modality, "error" or "skip".
            seed: non-negative integer.

        Raises:
            ValueError: if K is odd, an identity lacks a modality, or there are fewer than P.
        """
        super().__init__(seed)
        labels = as_array(identities, "identities")
        spectra = as_array(modalities, "modalities", len(labels))
        self._tracks = both_modalities(labels, spectra, missing)
        check_group(p, k, self._tracks, even=True)
        self.p, self.k = p, k

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        decks = {
            i: (Deck(infrared, generator), Deck(visible, generator))
            for i, (infrared, visible) in self._tracks.items()
        }
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
