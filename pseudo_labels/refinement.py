"""What is made of a clustering before it teaches, with a memory of the epochs before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from ..clustering.label_propagation import heaviest, memberships, propagate
from ..clustering.options import ClusteringOptions
from ..clustering.reliability import reliable_labels, without_gaps

FEWEST = 2  # clusters that a training needs


class Clustering(NamedTuple):
    """Labels of some tracks, [N] int64, -1 = noise.

    Attributes:
        labels: at eps.
        tight: at eps less the gap; None without a gap.
        loose: at eps plus the gap; None without a gap.
    """

    labels: NDArray[np.int64]
    tight: NDArray[np.int64] | None = None
    loose: NDArray[np.int64] | None = None


class LabelRefinement:
    """Leaves out what two radii do not confirm, and smooths labels over the epochs.

    Each set of tracks that is clustered has a name and a memory of its own: the independence that
    its first clustering asks of clusters, and the last clustering with the shares of its labels.
    Without ``eps_gap`` and ``label_propagation`` labels stay as they are.

    Args:
        options: ``eps_gap``, ``independent_share`` and ``label_propagation``.
        say: takes a remark for the person at the keyboard.
    """

    def __init__(self, options: ClusteringOptions, say: Callable[[str], None] = print) -> None:
        self._options = options
        self._say = say
        self._thresholds: dict[str, float] = {}
        self._found: dict[str, NDArray[np.int64]] = {}
        self._shares: dict[str, sparse.csr_array] = {}

    def __call__(self, name: str, found: Clustering) -> NDArray[np.int64]:
        """Labels to train with; fewer than two clusters are never made of more.

        Args:
            name: of the set of tracks that was clustered.
            found: its clustering in this epoch.

        Returns:
            [N] int64 without gaps, -1 = noise.
        """
        labels = self._reliable(name, found)
        return self._smoothed(name, labels) if self._options.label_propagation else labels

    def _reliable(self, name: str, found: Clustering) -> NDArray[np.int64]:
        if found.tight is None or found.loose is None:
            return found.labels
        labels, threshold = reliable_labels(
            found.labels,
            found.tight,
            found.loose,
            threshold=self._thresholds.get(name),
            share=self._options.independent_share,
        )
        if threshold is not None:
            self._thresholds[name] = threshold
        return self._unless_too_few(name, labels, found.labels, "holds at --eps-gap")

    def _smoothed(self, name: str, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        before = self._found.get(name)
        if before is None or len(before) != len(labels):
            shares = memberships(labels)
        else:
            weight = self._options.label_propagation
            shares = propagate(self._shares[name], before, labels, weight)
        self._found[name], self._shares[name] = labels, shares
        smoothed = without_gaps(heaviest(shares, labels))
        return self._unless_too_few(name, smoothed, labels, "is left by --label-propagation")

    def _unless_too_few(
        self, name: str, labels: NDArray[np.int64], before: NDArray[np.int64], why: str
    ) -> NDArray[np.int64]:
        clusters = int(labels.max(initial=-1)) + 1
        if clusters >= min(FEWEST, int(before.max(initial=-1)) + 1):
            return labels
        what = "no cluster" if clusters == 0 else "one cluster alone"
        self._say(f"{name}: {what} {why}; this epoch goes on with the labels before it.")
        return before

    def state(self) -> dict[str, Any]:
        """What the next clustering needs, as tensors and plain values; empty if nothing."""
        state: dict[str, Any] = {}
        if self._thresholds:
            state["thresholds"] = dict(self._thresholds)
        for name, shares in self._shares.items():
            state[name] = {
                "labels": torch.from_numpy(self._found[name].copy()),
                "pointer": torch.from_numpy(shares.indptr.astype(np.int64)),
                "column": torch.from_numpy(shares.indices.astype(np.int64)),
                "share": torch.from_numpy(shares.data.copy()),
            }
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state` gave.

        Raises:
            ValueError: a part is missing, or the parts do not fit each other.
        """
        self._thresholds = {
            name: float(value) for name, value in state.get("thresholds", {}).items()
        }
        self._found, self._shares = {}, {}
        for name, part in state.items():
            if name != "thresholds":
                self._found[name], self._shares[name] = _restored(name, part)


def _restored(name: str, part: Any) -> tuple[NDArray[np.int64], sparse.csr_array]:
    kinds = {"labels": torch.int64, "pointer": torch.int64, "column": torch.int64}
    kinds["share"] = torch.float64
    if not isinstance(part, Mapping) or any(
        not isinstance(part.get(key), Tensor) or part[key].dtype != kind or part[key].ndim != 1
        for key, kind in kinds.items()
    ):
        raise ValueError(f"its smoothed labels of {name} are incomplete")
    labels, pointer, column, share = (part[key].numpy().copy() for key in kinds)
    clusters = int(labels.max(initial=-1)) + 1
    if (
        len(pointer) != len(labels) + 1
        or clusters > len(labels)
        or labels.min(initial=0) < -1
        or pointer[0] != 0
        or (np.diff(pointer) < 0).any()
        or not pointer[-1] == len(column) == len(share)
        or ((column < 0) | (column >= clusters)).any()
        or not ((share >= 0) & (share <= 1 + 1e-6)).all()
    ):
        raise ValueError(f"its smoothed labels of {name} do not fit each other")
    return labels, sparse.csr_array((share, column, pointer), shape=(len(labels), clusters))
