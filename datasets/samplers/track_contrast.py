"""Tracks of one visible and one infrared camera, for the contrast of tracks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..track import Modality
from .base import Deck, EpochBatchSampler, Indices, Seed, as_array, group_by


class TrackContrastSampler(EpochBatchSampler):
    """Batches of n visible tracks of ONE camera followed by n infrared tracks of ONE camera.

    Negatives of one camera keep a network from telling cameras instead of people. A camera is
    drawn in proportion to its number of tracks; a camera with fewer than n of them repeats.
    """

    def __init__(
        self,
        modalities: ArrayLike,
        cameras: ArrayLike,
        n: int,
        num_batches: int,
        *,
        seed: Seed = 0,
    ) -> None:
        """Groups the tracks by camera.

        Args:
            modalities: modality of each track, [N].
            cameras: camera of each track, [N], not negative.
            n: tracks of each modality in a batch.
            num_batches: batches in an epoch.
            seed: one or several non-negative integers.

        Raises:
            ValueError: if a modality has no tracks, or n or `num_batches` is below 1.
        """
        super().__init__(seed)
        modality_of = as_array(modalities, "modalities")
        numbers = as_array(cameras, "cameras", len(modality_of))
        if n < 1 or num_batches < 1:
            raise ValueError(f"n and num_batches are at least 1; got {n} and {num_batches}")
        if numbers.size and numbers.min() < 0:
            raise ValueError(f"camera numbers are not negative; got {numbers.min()}")
        self.n, self.num_batches = n, num_batches
        self._cameras = [
            group_by(numbers, np.flatnonzero(modality_of == modality))
            for modality in (Modality.VISIBLE, Modality.INFRARED)
        ]
        for modality, found in zip(("visible", "infrared"), self._cameras):
            if not found:
                raise ValueError(f"each batch holds {n} {modality} tracks, but there are none")

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        halves = [self._half(cameras, generator) for cameras in self._cameras]
        return [visible + infrared for visible, infrared in zip(*halves)]

    def _half(self, cameras: dict[int, Indices], generator: np.random.Generator) -> list[list[int]]:
        decks = [Deck(rows, generator) for rows in cameras.values()]
        sizes = np.array([len(rows) for rows in cameras.values()])
        chosen = generator.choice(len(decks), size=self.num_batches, p=sizes / sizes.sum())
        return [decks[int(c)].deal(self.n) for c in chosen]
