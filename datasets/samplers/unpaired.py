"""Visible and infrared tracks side by side, their labels unrelated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..track import Modality
from .base import EpochBatchSampler, Indices, Seed, as_array


def fill_up(rows: ArrayLike, slots: int) -> Indices:
    """Every row once, then the first ones again until all slots are filled.

    Args:
        rows: [n] integers, n at least 1.
        slots: at least n.

    Returns:
        [slots] int64.

    Raises:
        ValueError: there are no rows, or more than slots.
    """
    once = as_array(rows, "rows")
    if not 0 < len(once) <= slots:
        raise ValueError(f"rows fill slots, 1 to {slots} of them; got {len(once)}")
    return np.resize(once, slots)


class UnpairedBatchSampler(EpochBatchSampler):
    """Batches of n visible tracks followed by n infrared tracks, each side shuffled by itself.

    A pass shows every track of either modality: each side's list is filled up with its first
    tracks again to a common length, and shuffled. Source: the code released with MMM, warm-up and
    confidence pass. That code fills up to numbers that fit its data sets, and leaves out what does
    not fill the last batch; here the last batch is filled.
    """

    def __init__(
        self,
        labels: ArrayLike,
        modalities: ArrayLike,
        n: int,
        num_batches: int | None = None,
        *,
        slots: tuple[int, int] | None = None,
        seed: Seed = 0,
    ) -> None:
        """Collects the tracks of each modality.

        Args:
            labels: label of each track, [N]; negative ones (noise) are never drawn.
            modalities: modality of each track, [N].
            n: tracks of each modality in a batch.
            num_batches: batches in an epoch, of as many passes as that takes; None = one pass.
            slots: lengths of the visible and the infrared list; None takes for both the least
                multiple of n that holds the larger side. A batch that one list cannot fill any
                more is left out.
            seed: one or several non-negative integers.

        Raises:
            ValueError: a modality has no track, n or the number of batches is below 1, a list has
                more tracks than slots, or the lists do not fill a batch.
        """
        super().__init__(seed)
        clusters = as_array(labels, "labels")
        modality_of = as_array(modalities, "modalities", len(clusters))
        if n < 1 or (num_batches is not None and num_batches < 1):
            raise ValueError(
                "a batch holds at least one track of each modality, an epoch at least one batch; "
                f"got n={n}, num_batches={num_batches}"
            )
        sides = [
            np.flatnonzero((clusters >= 0) & (modality_of == modality))
            for modality in (Modality.VISIBLE, Modality.INFRARED)
        ]
        if not all(map(len, sides)):
            raise ValueError(
                "both modalities need at least one labelled track; found "
                f"{len(sides[0])} visible and {len(sides[1])} infrared ones"
            )
        if slots is None:
            filled = -(-max(map(len, sides)) // n) * n
            slots = (filled, filled)
        self.n = n
        self._sides = [fill_up(rows, length) for rows, length in zip(sides, slots)]
        self._pass = min(slots) // n
        if not self._pass:
            raise ValueError(f"{min(slots)} slots do not fill a batch of n={n}")
        self.num_batches = num_batches or self._pass

    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        batches: list[list[int]] = []
        while len(batches) < self.num_batches:
            shuffled = [generator.permutation(rows) for rows in self._sides]
            for start in range(0, self._pass * self.n, self.n):
                batches.append([int(row) for s in shuffled for row in s[start : start + self.n]])
        return batches[: self.num_batches]
