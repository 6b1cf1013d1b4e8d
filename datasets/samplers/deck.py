"""A shuffled pile that is dealt from and shuffled again when it is empty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Deck:
    """Deals items so that all are used equally often, to within one.

    One deal never holds an item twice as long as there are enough items for it.
    """

    def __init__(self, items: NDArray[np.int64], generator: np.random.Generator) -> None:
        """Makes the pile.

        Args:
            items: what is dealt, [n], n at least 1.
            generator: source of the shuffles.
        """
        self._items = items
        self._generator = generator
        self._pile: list[int] = []

    def deal(self, count: int) -> list[int]:
        """Takes `count` items from the pile.

        Args:
            count: how many; more than there are items means repetition.

        Returns:
            The items, in random order.
        """
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
