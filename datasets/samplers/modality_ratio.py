"""P identities × K tracks with a fixed share of infrared."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .base import Missing, TwoSidedBatchSampler, deal_groups


class ModalityRatioBatchSampler(TwoSidedBatchSampler):
    """Batches of P identities with K tracks each, int(K · ratio) of them infrared.

    An identity gives max(1, ⌊n/K⌋) groups an epoch. Tracks of one group differ as long as the
    identity has enough of them in the modality.
    """

    even = False

    def __init__(
        self,
        identities: ArrayLike,
        modalities: ArrayLike,
        p: int,
        k: int,
        ratio: float = 0.5,
        *,
        missing: Missing = "error",
        seed: int = 0,
    ) -> None:
        """Groups the tracks.

        Args:
            identities: identity of each track, [N]; negative ones are never drawn.
            modalities: modality of each track, [N].
            p: identities in a batch.
            k: tracks of each identity.
            ratio: share of infrared tracks, in (0, 1).
            missing: what to do with identities of one modality, "error" or "skip".
            seed: non-negative integer.

        Raises:
            ValueError: if the ratio leaves a modality without a track, an identity lacks a
                modality, or there are fewer than P identities.
        """
        super().__init__(identities, modalities, p, k, missing=missing, seed=seed)
        self.infrared = int(k * ratio)
        if not 0 < self.infrared < k:
            raise ValueError(
                f"int(k · ratio) infrared tracks leave both modalities at least one; "
                f"got k={k}, ratio={ratio}"
            )

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        decks = self._decks(generator)
        groups = {
            i: max(1, (len(infrared) + len(visible)) // self.k)
            for i, (infrared, visible) in self._tracks.items()
        }
        batches = []
        for chosen in deal_groups(groups, self.p, generator):
            batch: list[int] = []
            for i in chosen:
                infrared, visible = decks[int(i)]
                group = infrared.deal(self.infrared) + visible.deal(self.k - self.infrared)
                batch += (int(row) for row in generator.permutation(group))
            batches.append(batch)
        return batches
