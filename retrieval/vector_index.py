"""Search in a part of the index where it is too large to look at every row: IVF, and its recall."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..datasets.track import Modality
from .conditions import Filter
from .index_folder import IndexFolder

ASKED = 64  # rows whose neighbours tell the recall
NEIGHBOURS = 10
ENOUGH = 0.95  # recall; more parts are looked at until it is reached
STALE = 0.1  # share of rows that the index may not cover; those are looked at one by one


@dataclass(frozen=True)
class IvfRecall:
    """What search in a part of the index finds.

    Attributes:
        partitions: parts of the index.
        probes: parts that a search looks at.
        recall: share of the ten nearest of the other modality that it finds, mean over queries.
        queries: how many were asked.
    """

    partitions: int
    probes: int
    recall: float
    queries: int

    def __str__(self) -> str:
        return (
            f"IVF: {self.probes} of {self.partitions} parts are looked at; they hold "
            f"{self.recall:.1%} of the {NEIGHBOURS} nearest ({self.queries} queries)"
        )


def keep_fast(index: IndexFolder) -> IvfRecall | None:
    """Builds the vector index where the rows have become many, and measures what it finds.

    Args:
        index: open, and locked by the caller.

    Returns:
        None where search stays exact, or the vector index still covers the rows.
    """
    store, count = index.store, index.store.count()
    if count < index.facts.exact_below:
        if index.facts.probes is not None:
            index.change(probes=None, recall=None)
        return None
    covered = store.covered_by_ivf()
    if covered is not None and index.facts.probes and count - covered <= STALE * count:
        return None
    partitions = max(2, round(math.sqrt(count)))
    index.change(probes=None, recall=None)  # exact, should the building be killed
    store.build_ivf(partitions)
    found = measured(index, partitions)
    index.change(probes=found.probes, recall=found.recall)
    return found


def measured(index: IndexFolder, partitions: int) -> IvfRecall:
    """The fewest parts, in powers of two, that hold enough of the nearest rows.

    Args:
        index: with a vector index.
        partitions: its parts.
    """
    store = index.store
    asked = []
    for modality in Modality:
        _, vectors = store.vectors(Filter(modality=modality).condition(), ASKED // 2)
        condition = Filter(modality=modality.other).condition()
        asked += [(vector, condition) for vector in vectors]
    exact = [_keys(index, vector, condition, None) for vector, condition in asked]
    probes = min(partitions, 8)
    while True:
        shares = [
            len(_keys(index, vector, condition, probes) & nearest) / len(nearest)
            for (vector, condition), nearest in zip(asked, exact)
            if nearest
        ]
        recall = float(np.mean(shares)) if shares else 1.0
        if recall >= ENOUGH or probes >= partitions:
            return IvfRecall(partitions, probes, recall, len(shares))
        probes = min(partitions, 2 * probes)


def _keys(index: IndexFolder, vector: np.ndarray, condition: str, probes: int | None) -> set[str]:
    rows = index.store.nearest(vector, condition, NEIGHBOURS, probes=probes)
    return {row["key"] for row in rows}
