"""Infrared and visible tracks in turn, identity by identity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .base import EpochBatchSampler, Missing, as_array, both_modalities, check_group, deal_groups
from .deck import Deck


class InterleavedBatchSampler(EpochBatchSampler):
    """Batches of P identities × K tracks that alternate infrared, visible, infrared, …

    An identity gives max(1, ⌊min(infrared, visible) / (K/2)⌋) groups an epoch; a side that is
    shorter than K/2 repeats.
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
        half = self.k // 2
        decks = {
            i: (Deck(infrared, generator), Deck(visible, generator))
            for i, (infrared, visible) in self._tracks.items()
        }
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
