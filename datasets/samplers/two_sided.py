"""P identities × K tracks of both modalities, in three orders."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ...errors import shorten
from ..track import Modality
from .base import (
    Deck,
    EpochBatchSampler,
    Indices,
    Seed,
    as_array,
    check_group,
    deal_groups,
    group_by,
)

Missing = Literal["error", "skip"]


class TwoSidedBatchSampler(EpochBatchSampler):
    """Batches of P identities × K tracks of both modalities; the subclass says in which order."""

    # Whether K is split into two equal halves.
    even = True

    def __init__(
        self,
        identities: ArrayLike,
        modalities: ArrayLike,
        p: int,
        k: int,
        *,
        missing: Missing = "error",
        seed: Seed = 0,
    ) -> None:
        """Groups the tracks.

        Args:
            identities: identity of each track, [N]; negative ones are never drawn.
            modalities: modality of each track, [N].
            p: identities in a batch.
            k: tracks of each identity.
            missing: what to do with identities of one modality, "error" or "skip".
            seed: one or several non-negative integers.

        Raises:
            ValueError: if K is odd where it must be even, an identity lacks a modality, or there
                are fewer than P.
        """
        super().__init__(seed)
        labels = as_array(identities, "identities")
        modality_of = as_array(modalities, "modalities", len(labels))
        self._tracks = _both_modalities(labels, modality_of, missing)
        check_group(p, k, self._tracks, even=self.even)
        self.p, self.k = p, k

    def _decks(self, generator: np.random.Generator) -> dict[int, tuple[Deck, Deck]]:
        """Infrared and visible tracks of each identity, shuffled anew whenever they run out."""
        return {
            i: (Deck(infrared, generator), Deck(visible, generator))
            for i, (infrared, visible) in self._tracks.items()
        }


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
        seed: Seed = 0,
    ) -> None:
        """As `HalfIdentityBatchSampler`; `ratio` is the share of infrared tracks, in (0, 1).

        Raises:
            ValueError: as there, or the ratio leaves a modality without a track.
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


def _both_modalities(
    identities: Indices, modalities: Indices, missing: Missing
) -> dict[int, tuple[Indices, Indices]]:
    """Groups tracks by identity and modality.

    Returns:
        Identity to (infrared tracks, visible tracks), identities ascending.

    Raises:
        ValueError: if `missing` is unknown, or "error" and an identity lacks a modality.
    """
    if missing not in ("error", "skip"):
        raise ValueError(f'missing is "error" or "skip"; got {missing!r}')
    infrared = group_by(identities, np.flatnonzero(modalities == Modality.INFRARED))
    visible = group_by(identities, np.flatnonzero(modalities == Modality.VISIBLE))
    single = sorted(infrared.keys() ^ visible.keys())
    if single and missing == "error":
        raise ValueError(
            f"each identity needs tracks in both modalities; {len(single)} have one modality only "
            f'({shorten(single)}); leave them out with missing="skip"'
        )
    return {i: (infrared[i], visible[i]) for i in sorted(infrared.keys() & visible.keys())}
