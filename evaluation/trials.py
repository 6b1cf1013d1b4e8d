"""Ranks a test split under a protocol: one similarity for all of its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from .metrics import RankMetrics, mean_metrics, rank_metrics_from_features
from .per_query import BLOCK_ENTRIES, PerQueryMetrics, per_query_metrics
from .protocols import Protocol, protocol_features, track_labels


def evaluate_protocol(
    protocol: Protocol, features: Tensor, keys: Sequence[str], *, rerank: bool = False
) -> RankMetrics:
    """Ranking metrics of one protocol, averaged over its trials; see ``evaluate_trials``."""
    trials = evaluate_trials(protocol, features, keys, rerank=rerank)
    return RankMetrics(
        cmc=torch.stack([trial.cmc for trial in trials]).mean(0),
        mAP=sum(trial.mAP for trial in trials) / len(trials),
        mINP=sum(trial.mINP for trial in trials) / len(trials),
        valid_queries=min(trial.valid_queries for trial in trials),
    )


def evaluate_trials(
    protocol: Protocol, features: Tensor, keys: Sequence[str], *, rerank: bool = False
) -> list[RankMetrics]:
    """Ranking metrics of every trial of a protocol from the features of all test tracks.

    The similarity of a block of queries to all tracks that any trial ranks is computed once; each
    trial takes its columns. Re-ranking looks at a whole gallery, so it is done trial by trial.

    Args:
        protocol: what is ranked.
        features: [N, D] floating, unit rows.
        keys: the N track keys, in the order of ``features``.
        rerank: rank by the k-reciprocal distance over the query and the trial's gallery tracks.

    Returns:
        For each trial (one without ``protocol.trials``) the means over the queries that have a
        match left.

    Raises:
        ValueError: a track of the protocol has no feature or no identity.
    """
    query, gallery = protocol_features(protocol, features, keys)
    query_ids, query_cameras = track_labels(protocol.query)
    gallery_ids, gallery_cameras = track_labels(protocol.gallery)
    if protocol.trials and not rerank:
        scores = _scores_of_trials(
            (query, query_ids, query_cameras),
            (gallery, gallery_ids, gallery_cameras),
            protocol,
        )
        return [mean_metrics(trial) for trial in scores]
    whole = [range(len(protocol.gallery))]
    trials = [torch.tensor(trial, dtype=torch.int64) for trial in protocol.trials or whole]
    return [
        rank_metrics_from_features(
            query,
            gallery[chosen],
            query_ids,
            gallery_ids[chosen],
            query_cameras,
            gallery_cameras[chosen],
            protocol=protocol.rule,
            rerank=rerank,
        )
        for chosen in trials
    ]


def _scores_of_trials(
    query: tuple[Tensor, Tensor, Tensor], gallery: tuple[Tensor, Tensor, Tensor], protocol: Protocol
) -> list[PerQueryMetrics]:
    """Figures of all queries for each trial; both sides as features, identities, cameras."""
    trials = [torch.tensor(trial, dtype=torch.int64) for trial in protocol.trials]
    used = torch.unique(torch.cat(trials))
    columns = [torch.searchsorted(used, trial) for trial in trials]
    ranked = gallery[0][used].float()
    parts: list[list[PerQueryMetrics]] = [[] for _ in trials]
    step = max(1, BLOCK_ENTRIES // max(1, len(used)))
    for start in range(0, len(query[1]), step):
        rows = slice(start, start + step)
        similarity = query[0][rows].float() @ ranked.T
        for trial, column, found in zip(trials, columns, parts, strict=True):
            found.append(
                per_query_metrics(
                    similarity[:, column],
                    query[1][rows],
                    gallery[1][trial],
                    query[2][rows],
                    gallery[2][trial],
                    protocol=protocol.rule,
                )
            )
    names = [field.name for field in fields(PerQueryMetrics)]
    return [
        PerQueryMetrics(*(torch.cat([getattr(part, name) for part in found]) for name in names))
        for found in parts
    ]
