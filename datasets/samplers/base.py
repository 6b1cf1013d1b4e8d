"""What all batch samplers share: an epoch's plan, drawn from seed and epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Sampler

from ...random_streams import Draw, numpy_generator

Indices = NDArray[np.int64]
Seed = int | tuple[int, ...]


class EpochBatchSampler(Sampler[list[int]], ABC):
    """Lists of track indices, one list a batch.

    The batches of an epoch depend on the arrays, the seed and the epoch only. `len` is the true
    number of batches of the present epoch.
    """

    def __init__(self, seed: Seed) -> None:
        """Sets the seed, one or several non-negative integers; the epoch starts at 0."""
        self.seed = (seed,) if isinstance(seed, int) else tuple(seed)
        self._epoch = (0, 0)
        self._plan: list[list[int]] | None = None

    def set_epoch(self, epoch: int, again: int = 0) -> None:
        """Chooses the epoch, at least 0, whose batches are listed.

        Args:
            epoch: number of the epoch.
            again: number of the pass, from 0, where an epoch takes several.
        """
        if (epoch, again) != self._epoch:
            self._epoch = (epoch, again)
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
            self._plan = self._draw(numpy_generator(Draw.BATCHES, *self.seed, *self._epoch))
        return self._plan

    @abstractmethod
    def _draw(self, generator: np.random.Generator) -> list[list[int]]:
        """Draws one epoch."""


class Deck:
    """Deals items so that all are used equally often, to within one.

    One deal never holds an item twice as long as there are enough items for it.
    """

    def __init__(self, items: Indices, generator: np.random.Generator) -> None:
        """Makes the pile of items [n], n at least 1."""
        self._items = items
        self._generator = generator
        self._pile: list[int] = []

    def deal(self, count: int) -> list[int]:
        """Takes `count` items in random order; more than there are items means repetition."""
        dealt: list[int] = []
        while count - len(dealt) >= len(self._items):
            dealt += self._shuffled()
        missing = count - len(dealt)
        taken, self._pile = self._pile[:missing], self._pile[missing:]
        if len(taken) < missing:
            fresh = self._shuffled()
            # What this deal already holds goes back under the pile.
            held = set(taken)
            new = [item for item in fresh if item not in held]
            need = missing - len(taken)
            taken += new[:need]
            self._pile = new[need:] + [item for item in fresh if item in held]
        return dealt + taken

    def _shuffled(self) -> list[int]:
        return [int(item) for item in self._generator.permutation(self._items)]


def as_array(values: ArrayLike, name: str, length: int | None = None) -> Indices:
    """Checks one of the arrays that describe the tracks.

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


def check_group(p: int, k: int, identities: Mapping[int, object], *, even: bool = False) -> None:
    """Refuses a batch of P identities × K tracks that the labels cannot give.

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
