"""Ranked lists of single queries, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..datasets.track import Track
from ..evaluation.metrics import ignores, per_query_metrics
from ..evaluation.protocols import Protocol, protocol_features, track_labels
from ..evaluation.ranking import PerQueryMetrics
from ..evaluation.similarity import InnerProducts

Verdict = Literal["right", "wrong", "ignored"]


@dataclass(frozen=True)
class RankedItem:
    """One gallery track in a ranked list.

    Attributes:
        track: the gallery track.
        similarity: inner product with the query.
        verdict: ``right`` = the query's identity, ``wrong`` = another one, ``ignored`` = left out
            by the camera rule and without a rank.
        rank: place among the items that are not ignored, from 1; None for an ignored one.
    """

    track: Track
    similarity: float
    verdict: Verdict
    rank: int | None


@dataclass(frozen=True)
class RankedList:
    """The head of one query's ranking.

    Attributes:
        grade: ``best``, ``median`` or ``worst``.
        query: the query track.
        ap: average precision, 0 to 1.
        first_rank: rank of the first right item.
        matches: right items in the whole gallery, ignored ones not counted.
        items: the first entries, ignored ones included.
    """

    grade: str
    query: Track
    ap: float
    first_rank: int
    matches: int
    items: list[RankedItem]


@dataclass(frozen=True)
class DirectionScores:
    """Per-query figures of one protocol with the features they came from."""

    protocol: Protocol
    query: Tensor
    gallery: Tensor
    scores: PerQueryMetrics

    @property
    def average_precisions(self) -> list[float]:
        """AP of the valid queries, in query order."""
        values: list[float] = self.scores.ap[self.scores.valid].tolist()
        return values


def score_direction(protocol: Protocol, features: Tensor, keys: Sequence[str]) -> DirectionScores:
    """Per-query figures of one protocol, ranked by inner products and never re-ranked.

    Args:
        protocol: one direction; every track has an identity.
        features: [N, D] float32, unit rows.
        keys: N track keys in the order of ``features``.

    Raises:
        ValueError: a track has no feature or no identity.
    """
    query, gallery = protocol_features(protocol, features, keys)
    query_ids, query_cameras = track_labels(protocol.query)
    gallery_ids, gallery_cameras = track_labels(protocol.gallery)
    scores = per_query_metrics(
        InnerProducts(query, gallery),
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        protocol=protocol.rule,
    )
    return DirectionScores(protocol, query, gallery, scores)


def ranked_lists(
    direction: DirectionScores, *, each: int = 2, length: int = 10
) -> list[RankedList]:
    """Lists of the best, the median and the worst queries by average precision.

    Args:
        direction: scores of one protocol.
        each: how many queries of each grade; fewer where there are too few queries.
        length: entries of a list.

    Returns:
        Lists in falling order of AP; no query twice; queries without a match left never.
    """
    ap = direction.scores.ap.nan_to_num(nan=-1.0)
    order = torch.argsort(ap, descending=True, stable=True).tolist()
    order = order[: int(direction.scores.valid.sum())]
    middle = max(0, (len(order) - each) // 2)
    grades: dict[int, str] = {}
    for grade, picks in (
        ("best", order[:each]),
        ("worst", order[::-1][:each]),
        ("median", order[middle : middle + each]),
    ):
        for pick in picks:
            grades.setdefault(pick, grade)
    return [_ranked_list(direction, row, grades[row], length) for row in order if row in grades]


def _ranked_list(direction: DirectionScores, row: int, grade: str, length: int) -> RankedList:
    protocol, scores = direction.protocol, direction.scores
    query = protocol.query[row]
    similarity = (direction.query[row] @ direction.gallery.T).cpu()
    order = similarity.sort(descending=True, stable=True).indices.tolist()
    items: list[RankedItem] = []
    rank = matches = 0
    for index in order:
        track = protocol.gallery[index]
        same = track.identity == query.identity
        left_out = ignores(protocol.rule, query.camera, track.camera, same_identity=same)
        rank += not left_out
        matches += same and not left_out
        if len(items) < length:
            verdict: Verdict = "ignored" if left_out else "right" if same else "wrong"
            items.append(
                RankedItem(track, float(similarity[index]), verdict, None if left_out else rank)
            )
    return RankedList(
        grade, query, float(scores.ap[row]), int(scores.first_rank[row]), matches, items
    )
