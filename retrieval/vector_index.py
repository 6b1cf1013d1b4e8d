"""Search in a part of the index where it is too large to look at every row: IVF, and its recall."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets.track import Modality
from .conditions import Filter
from .index_folder import IndexFolder

PARTITIONS = 256  # at most: building takes time in proportion
ASKED = 64  # rows whose neighbours tell the recall
NEIGHBOURS = 10
ENOUGH = 0.95  # recall; more parts are looked at until it is reached
FEWEST = 32  # a search looks at one part of so many, at least
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
    partitions = min(PARTITIONS, max(2, round(math.sqrt(count))))
    index.change(probes=None, recall=None)  # exact, should the building be killed
    store.build_ivf(partitions)
    found = measured(index, partitions)
    index.change(probes=found.probes, recall=found.recall)
    return found


def measured(index: IndexFolder, partitions: int) -> IvfRecall:
    """The fewest parts, growing by half, that hold enough of the nearest rows.

    Rows from all over the table are asked for their nearest of the other modality, or of their own
    where there is no other; those are known from looking at every row.

    Args:
        index: with a vector index.
        partitions: its parts.
    """
    store = index.store
    count = store.count()
    chosen = np.random.default_rng(0).choice(count, min(ASKED, count), replace=False)
    rows = store.at(sorted(chosen.tolist()), ("modality", "vector"))
    vectors = np.array([row["vector"] for row in rows], np.float16)
    own = [Modality[row["modality"].upper()] for row in rows]
    one = count in [store.count(Filter(modality=modality).condition()) for modality in Modality]
    modalities = own if one else [modality.other for modality in own]
    nearest = _nearest_by_looking_at_all(index, vectors, modalities)
    conditions = [Filter(modality=modality).condition() for modality in modalities]
    asked = list(zip(vectors, conditions, [set(keys) - {""} for keys in nearest]))
    probes = max(1, partitions // FEWEST)
    while True:
        shares = [
            len(_keys(index, vector, condition, probes) & exact) / len(exact)
            for vector, condition, exact in asked
        ]
        recall = float(np.mean(shares))
        if recall >= ENOUGH or probes >= partitions:
            return IvfRecall(partitions, probes, recall, len(shares))
        probes = min(partitions, probes + (probes + 1) // 2)


def _keys(index: IndexFolder, vector: NDArray[np.float16], condition: str, probes: int) -> set[str]:
    rows = index.store.nearest(vector, condition, NEIGHBOURS, probes=probes)
    return {row["key"] for row in rows}


def _nearest_by_looking_at_all(
    index: IndexFolder, vectors: NDArray[np.float16], modalities: list[Modality]
) -> NDArray[np.object_]:
    """Keys [Q, 10] of the nearest rows of a modality; empty texts where there are fewer.

    One pass for all queries: an exact search for each would take as long as building.
    """
    wide = vectors.astype(np.float32)
    wanted = np.array([modality.name.lower() for modality in modalities])[:, None]
    scores = np.full((len(wide), NEIGHBOURS), -np.inf, np.float32)
    keys = np.full(scores.shape, "", object)
    for batch in index.store.batches("", ("key", "modality", "vector")):
        block = np.asarray(batch["vector"].flatten()).reshape(-1, index.store.dim)
        ranked = np.array(batch["modality"].to_pylist()) == wanted
        found = np.where(ranked, wide @ block.astype(np.float32).T, np.float32(-np.inf))
        names = np.broadcast_to(np.array(batch["key"].to_pylist(), object), found.shape)
        scores, keys = np.hstack([scores, found]), np.hstack([keys, names])
        best = np.argpartition(-scores, NEIGHBOURS - 1)[:, :NEIGHBOURS]
        scores, keys = (np.take_along_axis(part, best, 1) for part in (scores, keys))
    keys[np.isinf(scores)] = ""
    return keys
