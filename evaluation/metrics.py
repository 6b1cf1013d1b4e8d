"""Ranking metrics of cross-modality retrieval: CMC, mAP and mINP under named camera rules.

Definitions: CMC at rank r is the share of queries with a match among the first r ranked entries;
average precision is the mean over a query's matches of (matches so far / rank); the inverse
negative penalty is matches / rank of the last match (Ye et al., "Deep Learning for Person
Re-identification: A Survey and Outlook", arXiv:2001.04193, section 4.2). Means run over the queries
that have a match left; all other queries are skipped.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .match_ranks import UNIT
from .per_query import (
    RULES,
    PerQueryMetrics,
    Rule,
    per_query_metrics,
    per_query_metrics_from_features,
)

__all__ = [
    "RULES",
    "PerQueryMetrics",
    "RankMetrics",
    "Rule",
    "mean_metrics",
    "per_query_metrics",
    "per_query_metrics_from_features",
    "rank_metrics",
    "rank_metrics_from_features",
]


@dataclass(frozen=True)
class RankMetrics:
    """Means over the valid queries, as fractions of 1.

    Attributes:
        cmc: [max_rank] float64 on the device of the input, ``cmc[r - 1]`` is Rank-r.
        mAP: mean average precision.
        mINP: mean inverse negative penalty.
        valid_queries: queries that have a match left. With 0 of them all other values are NaN.
    """

    cmc: Tensor
    mAP: float
    mINP: float
    valid_queries: int


def rank_metrics(
    similarity: Tensor,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
    *,
    protocol: Rule = "standard",
    max_rank: int = 20,
) -> RankMetrics:
    """CMC, mAP and mINP of a similarity matrix.

    Equal similarities are ranked in gallery order, so the result is deterministic and the same on
    CPU and CUDA. Half precision is compared in float32; the matrix's layout does not matter.

    Args:
        similarity: [Q, G] floating, larger is more similar (pass ``-distance`` for a distance).
        query_ids: [Q] integer identities.
        gallery_ids: [G] integer identities.
        query_cameras: [Q] integer cameras; needed by every protocol but ``all``.
        gallery_cameras: [G] integer cameras, in the same numbering as the queries'.
        protocol: which gallery items a query ignores.
            ``standard`` (HITSZ-VCM, BUPTCampus): the query's identity in the query's camera.
            ``sysu`` (SYSU-MM01 as released code evaluates it): queries of camera 3 ignore camera 2;
            CMC counts distinct identities in ranked order, AP and INP count items.
            ``sysu-symmetric`` (SYSU-MM01's own rule): the same, and queries of camera 2 ignore
            camera 3.
            ``llcm`` (LLCM's released evaluator): the query's identity in the query's camera; CMC
            counts distinct identities in ranked order, AP and INP count items.
            ``all`` (RegDB, BUPTCampus's own evaluator): none.
        max_rank: length of the CMC curve.

    Returns:
        Means over the queries that have a match left; NaN with ``valid_queries`` 0 if none has.

    Raises:
        ValueError: shapes disagree, cameras are missing, ``similarity`` holds NaN, or the protocol
            is unknown.
    """
    scores = per_query_metrics(
        similarity, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol=protocol
    )
    return mean_metrics(scores, max_rank)


def rank_metrics_from_features(
    query: Tensor,
    gallery: Tensor,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
    *,
    protocol: Rule = "standard",
    max_rank: int = 20,
    rerank: bool = False,
) -> RankMetrics:
    """``rank_metrics`` of the inner products of features, multiplied block by block.

    The full [Q, G] matrix never exists, so memory grows with the features only.

    Args:
        query: [Q, D] floating; unit rows make the inner product the cosine.
        gallery: [G, D] floating.
        query_ids: see ``rank_metrics``, as are all further arguments.
        gallery_ids: [G].
        query_cameras: [Q] or None.
        gallery_cameras: [G] or None.
        protocol: see ``rank_metrics``.
        max_rank: length of the CMC curve.
        rerank: rank by the k-reciprocal distance of ``rerank.rerank`` (its defaults) instead.

    Returns:
        See ``rank_metrics``.

    Raises:
        ValueError: as ``rank_metrics``; also if ``query`` or ``gallery`` holds NaN.
    """
    scores = per_query_metrics_from_features(
        query,
        gallery,
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        protocol=protocol,
        rerank=rerank,
    )
    return mean_metrics(scores, max_rank)


def mean_metrics(scores: PerQueryMetrics, max_rank: int = 20) -> RankMetrics:
    """Means of per-query figures over the valid queries.

    Args:
        scores: figures of Q queries.
        max_rank: length of the CMC curve; it keeps its last value beyond a short gallery.

    Returns:
        The means; NaN with ``valid_queries`` 0 if no query is valid.

    Raises:
        ValueError: ``max_rank`` is below 1.
    """
    if max_rank < 1:
        raise ValueError(f"`max_rank` must be at least 1; got {max_rank}")
    count = scores.valid.sum()
    values = torch.stack((scores.ap, scores.inp)).nan_to_num(nan=0.0)
    sums = (values * UNIT).round().long().sum(1).double() / UNIT
    ranks = torch.arange(1, max_rank + 1, device=count.device)
    reached = (scores.first_rank[:, None] <= ranks) & scores.valid[:, None]
    cmc = reached.sum(0).double() / count.double()  # 0 / 0 is the documented NaN
    mean_ap, mean_inp = (sums / count.double()).tolist()
    return RankMetrics(cmc, mean_ap, mean_inp, int(count))
