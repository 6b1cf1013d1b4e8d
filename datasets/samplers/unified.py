"""Clusters that hold one modality or both: each gives both halves where it can."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..track import Modality
from .base import Deck, EpochBatchSampler, Seed, as_array, check_group, group_by


class UnifiedBatchSampler(EpochBatchSampler):
    """Batches of P unified clusters × K tracks.

    A cluster with both modalities gives K/2 tracks of each; a cluster without a partner gives K of
    its one modality, so that unmatched clusters go on training among themselves.
    """

    def __init__(
        self,
        labels: ArrayLike,
        modalities: ArrayLike,
        p: int,
        k: int,
        num_batches: int,
        *,
        seed: Seed = 0,
    ) -> None:
        """Groups the tracks.

        Args:
            labels: unified label of each track, [N]; negative ones (noise) are never drawn.
            modalities: modality of each track, [N].
            p: clusters in a batch.
            k: tracks of each cluster, even.
            num_batches: batches in an epoch.
            seed: one or several non-negative integers.

        Raises:
            ValueError: if K is odd, there are fewer than P clusters, or no batches are asked for.
        """
        super().__init__(seed)
        clusters = as_array(labels, "labels")
        modality_of = as_array(modalities, "modalities", len(clusters))
        self._halves = [
            group_by(clusters, np.flatnonzero(modality_of == modality)) for modality in Modality
        ]
        self._names = sorted(set().union(*self._halves))
        check_group(p, k, dict.fromkeys(self._names), even=True)
        if num_batches < 1:
            raise ValueError(f"an epoch has at least one batch; got num_batches={num_batches}")
        self.p, self.k, self.num_batches = p, k, num_batches

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        names = Deck(np.array(self._names, dtype=np.int64), generator)
        decks = [
            {name: Deck(rows, generator) for name, rows in half.items()} for half in self._halves
        ]

        def group(name: int) -> list[int]:
            present = [half[name] for half in decks if name in half]
            return [row for deck in present for row in deck.deal(self.k // len(present))]

        return [
            [row for name in names.deal(self.p) for row in group(name)]
            for _ in range(self.num_batches)
        ]
