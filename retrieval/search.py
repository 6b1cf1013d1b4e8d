"""Who is this? The tracklets of an index that are most similar to a query, and may be the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets.track import Modality
from ..datasets.transitions import Transitions
from ..errors import UserError, shorten
from .conditions import Filter, all_of, key_condition, quoted
from .decisions import Calibration, Decision
from .index_folder import IndexFolder
from .journeys import possible


@dataclass(frozen=True)
class Query:
    """A tracklet that is looked for.

    Attributes:
        key: its name; the tracklet of this key is no candidate.
        camera: name of its camera; empty if unknown.
        modality: its spectrum.
        start, end: seconds; None if unknown.
        vector: [D] float16.
        thumbnail: JPEG; empty without one.
    """

    key: str
    camera: str
    modality: Modality
    start: float | None
    end: float | None
    vector: NDArray[np.float16]
    thumbnail: bytes


@dataclass(frozen=True)
class Candidate:
    """A tracklet of the index beside a query.

    Attributes:
        rank: from 1.
        key, camera, modality, start, end, thumbnail: as the index holds them.
        score: inner product of unit vectors.
        decision: None without calibrated thresholds.
    """

    rank: int
    key: str
    camera: str
    modality: Modality
    start: float | None
    end: float | None
    thumbnail: bytes
    score: float
    decision: Decision | None


@dataclass(frozen=True)
class Answer:
    """What a search found for one query.

    Attributes:
        query: the query.
        candidates: most similar first.
        searched: tracklets that were ranked.
    """

    query: Query
    candidates: Sequence[Candidate]
    searched: int


def stored_queries(index: IndexFolder, key: str) -> list[Query]:
    """Queries that the index holds itself.

    Args:
        index: open.
        key: of a tracklet, or the beginning of several, with ``/`` or ``*`` at its end.

    Returns:
        None of them if no key is like this.
    """
    return queries_where(index, key_condition(key))


def queries_where(index: IndexFolder, condition: str) -> list[Query]:
    """Rows of the index as queries.

    Args:
        index: open.
        condition: which rows.
    """
    columns = ("key", "camera", "modality", "start_time", "end_time", "vector", "thumbnail")
    return [
        Query(
            row["key"],
            row["camera"],
            Modality[row["modality"].upper()],
            row["start_time"],
            row["end_time"],
            np.array(row["vector"], np.float16),
            row["thumbnail"],
        )
        for row in index.store.rows(condition, columns)
    ]


def check_cameras(index: IndexFolder, cameras: Sequence[str]) -> None:
    """Refuses cameras that the index does not know.

    Args:
        index: open.
        cameras: their names.

    Raises:
        UserError: with the names that it knows.
    """
    known = index.store.cameras() if cameras else []
    strange = [camera for camera in cameras if camera not in known]
    if strange:
        raise UserError(
            f"--camera {shorten(strange)}: {index.path} has no tracklet of it; its cameras are "
            f"{shorten(known, 20) or 'none yet'}"
        )


def search_index(
    index: IndexFolder,
    queries: Sequence[Query],
    wanted: Filter,
    *,
    top: int = 10,
    transitions: Transitions | None = None,
    calibration: Calibration | None = None,
    fpir: float = 0.01,
) -> Iterator[Answer]:
    """Ranks the tracklets of an index for each query.

    Args:
        index: open.
        queries: with vectors of the same network and projection.
        wanted: which tracklets are ranked; without a modality those of the query's other one.
        top: candidates of a query.
        transitions: journeys that are possible; None takes all for it.
        calibration: thresholds; None gives no decision.
        fpir: share of searches for a stranger that may name somebody.

    Yields:
        An answer for each query, in their order.
    """
    store = index.store
    for query in queries:
        modality = query.modality.other if wanted.modality is None else wanted.modality
        condition = all_of(
            (
                replace(wanted, modality=modality).condition(),
                f"key <> {quoted(query.key)}",
                possible(transitions, query.camera, query.start, query.end) if transitions else "",
            )
        )
        searched = store.count(condition)
        rows = store.nearest(query.vector, condition, top, probes=index.facts.probes)
        yield Answer(
            query,
            [
                _candidate(rank, row, query, searched, calibration, fpir)
                for rank, row in enumerate(rows, start=1)
            ],
            searched,
        )


def _candidate(
    rank: int,
    row: dict[str, Any],
    query: Query,
    searched: int,
    calibration: Calibration | None,
    fpir: float,
) -> Candidate:
    modality = Modality[row["modality"].upper()]
    decision: Decision | None = None
    if calibration is not None:
        names = (query.modality.name.lower(), modality.name.lower())
        cameras = (query.camera, row["camera"])
        threshold = calibration.threshold(names, cameras, searched, fpir)
        same = threshold is not None and row["score"] >= threshold
        decision = "same" if same else "unknown"
    return Candidate(
        rank,
        row["key"],
        row["camera"],
        modality,
        row["start_time"],
        row["end_time"],
        row["thumbnail"],
        row["score"],
        decision,
    )
