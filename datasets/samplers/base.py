"""What all batch samplers share: an epoch's plan, drawn from (seed, epoch)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Sampler

from ...errors import shorten
from ..track import Modality
from .deck import Deck

Indices = NDArray[np.int64]
Missing = Literal["error", "skip"]


class EpochBatchSampler(Sampler[list[int]], ABC):
    """Lists of track indices, one list a batch.

    The batches of an epoch depend on the arrays, the seed and the epoch only. `len` is the true
    number of batches of the present epoch.
    """

    def __init__(self, seed: int) -> None:
        """Sets the seed; the epoch starts at 0.

        Args:
            seed: non-negative integer.
        """
        self.seed = seed
        self._epoch = 0
        self._plan: list[list[int]] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose batches are listed.

        Args:
            epoch: epoch number, at least 0.
        """
        if epoch != self._epoch:
            self._epoch = epoch
            self._plan = None

    def __len__(self) -> int:
        """Number of batches in the present epoch."""
        return len(self._batches())

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the track indices of each batch."""
        for batch in self._batches():
            yield list(batch)

    def _batches(self) -> list[list[int]]:
        if self._plan is None:
            self._plan = self._draw(np.random.default_rng((self.seed, self._epoch)))
        return self._plan

    @abstractmethod
    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        """Draws one epoch."""


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
        seed: int = 0,
    ) -> None:
        """Groups the tracks.

        Args:
            identities: identity of each track, [N]; negative ones are never drawn.
            modalities: modality of each track, [N].
            p: identities in a batch.
            k: tracks of each identity.
            missing: what to do with identities of one modality, "error" or "skip".
            seed: non-negative integer.

        Raises:
            ValueError: if K is odd where it must be even, an identity lacks a modality, or there
                are fewer than P.
        """
        super().__init__(seed)
        labels = as_array(identities, "identities")
        modality_of = as_array(modalities, "modalities", len(labels))
        self._tracks = both_modalities(labels, modality_of, missing)
        check_group(p, k, self._tracks, even=self.even)
        self.p, self.k = p, k

    def _decks(self, generator: np.random.Generator) -> dict[int, tuple[Deck, Deck]]:
        """Infrared and visible tracks of each identity, shuffled anew whenever they run out."""
        return {
            i: (Deck(infrared, generator), Deck(visible, generator))
            for i, (infrared, visible) in self._tracks.items()
        }


def as_array(values: ArrayLike, name: str, length: int | None = None) -> Indices:
    """Checks one of the arrays that describe the tracks.

    Args:
        values: integers, [N].
        name: what they are, for messages.
        length: N, if it is known.

    Returns:
        The values, [N], int64.

    Raises:
        ValueError: if the shape is wrong or the values are no integers.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name} is a row of integers; got {array.dtype} {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} holds one number for each of {length} tracks; got {len(array)}")
    return array.astype(np.int64)


def group_by(values: Indices, rows: Indices) -> dict[int, Indices]:
    """Sorts rows into groups of equal value.

    Args:
        values: group number of each track, [N].
        rows: the tracks to sort, [n].

    Returns:
        Value to rows, values ascending; negative values (noise) are left out.
    """
    kept = rows[values[rows] >= 0]
    kept = kept[np.argsort(values[kept], kind="stable")]
    found, starts = np.unique(values[kept], return_index=True)
    return {int(v): part for v, part in zip(found, np.split(kept, starts[1:]))}


def both_modalities(
    identities: Indices, modalities: Indices, missing: Missing
) -> dict[int, tuple[Indices, Indices]]:
    """Groups tracks by identity and modality.

    Args:
        identities: identity of each track, [N]; negative ones are left out.
        modalities: modality of each track, [N].
        missing: "error" refuses identities seen in one modality only, "skip" leaves them out.

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


def check_group(p: int, k: int, identities: Mapping[int, object], *, even: bool = False) -> None:
    """Refuses a batch of P identities × K tracks that the labels cannot give.

    Args:
        p: identities in a batch.
        k: tracks of each identity.
        identities: what can be drawn, by identity.
        even: whether K is split into two equal halves.

    Raises:
        ValueError: if P or K is below 1, K is odd where it must be even, or P is too large.
    """
    if p < 1 or k < 1:
        raise ValueError(f"a batch holds at least one identity and one track of it; p={p}, k={k}")
    if even and k % 2:
        raise ValueError(f"k is even, half of it for each modality; got k={k}")
    if p > len(identities):
        raise ValueError(
            f"a batch asks for p={p} identities, but only {len(identities)} can be drawn; "
            "lower p or use a data set (or clustering) with more identities"
        )


def deal_groups(counts: Mapping[int, int], p: int, generator: np.random.Generator) -> list[Indices]:
    """Spreads groups over batches: each batch takes one group of P different identities.

    The epoch ends when fewer than P identities have groups left.

    Args:
        counts: number of groups that each identity has.
        p: identities in a batch.
        generator: source of the draws.

    Returns:
        Identities of each batch, [p].
    """
    names = np.array(list(counts), dtype=np.int64)
    left = np.array(list(counts.values()), dtype=np.int64)
    batches = []
    while (open_ := np.flatnonzero(left)).size >= p:
        chosen = generator.choice(open_, size=p, replace=False)
        left[chosen] -= 1
        batches.append(names[chosen])
    return batches
