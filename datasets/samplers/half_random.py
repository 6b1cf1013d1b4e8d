"""Half infrared, half visible, identities unrelated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..track import Modality
from .base import Deck, EpochBatchSampler, Seed, as_array


class HalfRandomBatchSampler(EpochBatchSampler):
    """Batches whose first half is infrared and whose second half is visible.

    The larger modality is passed through once an epoch (what does not fill a batch is left for
    another epoch's shuffle), the smaller one repeats evenly.
    """

    def __init__(
        self, identities: ArrayLike, modalities: ArrayLike, batch_size: int, *, seed: Seed = 0
    ) -> None:
        """Collects the tracks of each modality.

        Args:
            identities: identity of each track, [N]; negative ones are never drawn.
            modalities: modality of each track, [N].
            batch_size: tracks in a batch, even.
            seed: one or several non-negative integers.

        Raises:
            ValueError: if the batch size is odd, a modality has no tracks, or the larger one does
                not fill half a batch.
        """
        super().__init__(seed)
        labels = as_array(identities, "identities")
        modality_of = as_array(modalities, "modalities", len(labels))
        if batch_size < 2 or batch_size % 2:
            raise ValueError(f"batch_size is even, half for each modality; got {batch_size}")
        self.half = batch_size // 2
        self._infrared, self._visible = (
            np.flatnonzero((labels >= 0) & (modality_of == modality))
            for modality in (Modality.INFRARED, Modality.VISIBLE)
        )
        found = f"{len(self._infrared)} infrared and {len(self._visible)} visible tracks"
        if not (len(self._infrared) and len(self._visible)):
            raise ValueError(f"both modalities need at least one track; found {found}")
        if max(len(self._infrared), len(self._visible)) < self.half:
            raise ValueError(
                f"half a batch is {self.half} tracks, more than either modality has: {found}; "
                "lower batch_size"
            )

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        infrared, visible = Deck(self._infrared, generator), Deck(self._visible, generator)
        number = max(len(self._infrared), len(self._visible)) // self.half
        return [infrared.deal(self.half) + visible.deal(self.half) for _ in range(number)]
