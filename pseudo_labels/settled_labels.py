"""Whether a stage's labels have stopped changing: a stopping rule without identities."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..reading import is_whole
from .options import SETTLED, StoppingOptions
from .unlabelled_quality import stability


class SettledLabels:
    """Counts the clusterings in a row that are, by and large, the ones before.

    Agreement is the adjusted Rand index over the tracks that both place (Hubert and Arabie, 1985).
    It looks at nothing but the labels that a stage trains with.

    Args:
        options: how many in a row are enough; 0 = the labels never count as settled.

    Attributes:
        since: epoch, from 0, that began with the last of these; None before. It stays.
    """

    def __init__(self, options: StoppingOptions) -> None:
        self._wanted = options.shorten_when_settled
        self._before: NDArray[np.int64] | None = None
        self._row = 0
        self.since: int | None = None

    def see(self, labels: NDArray[np.int64], epoch: int) -> None:
        """Takes a new clustering of the same tracks.

        Args:
            labels: [N], -1 = noise.
            epoch: that begins with it, from 0.
        """
        if not self._wanted or self.since is not None:
            return
        before, agreement = self._before, math.nan
        if before is not None and len(before) == len(labels):
            agreement = stability(before, labels)
        # NaN, of nothing to compare, is no agreement.
        self._row = self._row + 1 if agreement >= SETTLED else 0
        self._before = labels.copy()
        if self._row == self._wanted:
            self.since = epoch

    def text(self) -> str:
        """The reason in words, for the log."""
        times = f"{self._row} time{'s' * (self._row > 1)} in a row"
        return f"clusters as before {times} (adjusted Rand index {SETTLED} or more)"

    def state(self) -> dict[str, Any]:
        """What the next clustering is compared with; empty before the first, or without a rule."""
        if self._before is None:
            return {}
        labels = torch.from_numpy(self._before)
        return {"row": self._row, "since": self.since, "labels": labels}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state` gave, or starts anew without it.

        Raises:
            ValueError: the parts are no counts and no labels.
        """
        self._row, self._before, self.since = 0, None, None
        if not state:
            return
        row, since, labels = state["row"], state["since"], state["labels"]
        counts = is_whole(row) and (since is None or is_whole(since))
        if not counts or labels.dtype != torch.int64 or labels.ndim != 1:
            raise ValueError("what tells settled labels is no counts and no labels")
        self._row, self._before, self.since = row, labels.numpy(), since
