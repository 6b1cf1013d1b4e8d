"""From features of a test split to the results of its protocols, trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import transfers
from ..datasets.track import Track
from .metrics import BLOCK_ENTRIES, RankMetrics, Rule, mean_metrics, score_queries
from .protocols import GalleryKind, Protocol, label_arrays, protocol_features
from .ranking import PerQueryMetrics
from .results import SCORES, mean_and_std, named_scores, result_line
from .similarity import InnerProducts, Similarity

Integers = NDArray[np.int64]
Side = tuple[Tensor, Integers, Integers]  # features, identities, cameras


@dataclass(frozen=True)
class Result:
    """How well one protocol was ranked; ``print`` shows the result line.

    Attributes:
        protocol: name of the protocol, for instance ``hitsz-vcm/v2i``.
        direction: ``v2i`` or ``i2v``.
        rule: camera rule.
        query: number of queries of a trial.
        gallery: tracks that each trial ranked.
        gallery_kind: how the galleries were drawn.
        rerank: whether the ranking was re-ranked.
        trials: means over the valid queries of each trial, at least one.
    """

    protocol: str
    direction: str
    rule: Rule
    query: int
    gallery: tuple[int, ...]
    gallery_kind: GalleryKind
    rerank: bool
    trials: tuple[RankMetrics, ...]

    @property
    def mean(self) -> RankMetrics:
        """Means over the trials; the fewest valid queries of any."""
        count = len(self.trials)
        return RankMetrics(
            cmc=torch.stack([trial.cmc for trial in self.trials]).mean(0),
            mAP=sum(trial.mAP for trial in self.trials) / count,
            mINP=sum(trial.mINP for trial in self.trials) / count,
            valid_queries=min(trial.valid_queries for trial in self.trials),
        )

    def record(self) -> dict[str, Any]:
        """The result as ``metrics.jsonl`` keeps it, JSON-able.

        Scores are fractions of 1, means over the trials; ``std`` holds their sample standard
        deviations by name, or None for a single trial. One without a valid query is None.
        """
        each = [named_scores(metrics) for metrics in self.trials]
        spread = {name: mean_and_std([scores[name] for scores in each]) for name in SCORES}
        return {
            "protocol": self.protocol,
            "direction": self.direction,
            "rule": self.rule,
            "query": self.query,
            "gallery": self.gallery[0],
            "gallery_kind": self.gallery_kind,
            "rerank": self.rerank,
            "trials": len(self.trials),
            "valid_queries": self.mean.valid_queries,
            **{name: mean for name, (mean, _) in spread.items()},
            "std": {name: s for name, (_, s) in spread.items()} if len(each) > 1 else None,
        }

    def trial_records(self) -> list[dict[str, Any]]:
        """Every trial as ``metrics.jsonl`` keeps it, one JSON-able dict each.

        ``trial`` is what the released code calls it: the seed of a seeded gallery, from 0, or the
        row of an official one, from 1. Empty where the whole gallery was ranked once.
        """
        if self.gallery_kind == "whole":
            return []
        first = int(self.gallery_kind == "official")
        return [
            {
                "protocol": self.protocol,
                "rule": self.rule,
                "gallery_kind": self.gallery_kind,
                "rerank": self.rerank,
                "trial": number,
                "query": self.query,
                "gallery": size,
                "valid_queries": metrics.valid_queries,
                **named_scores(metrics),
            }
            for number, (size, metrics) in enumerate(zip(self.gallery, self.trials), first)
        ]

    def __str__(self) -> str:
        return result_line(self.record())


def evaluate(
    features: Tensor,
    tracks: Sequence[Track],
    protocols: Sequence[Protocol],
    *,
    rerank: bool = False,
) -> list[Result]:
    """Ranks a test split under each protocol.

    Args:
        features: [N, D] floating, unit rows.
        tracks: the N tracks of the features, for instance those of ``tracks_of(protocols)``.
        protocols: what is ranked, for instance those of ``protocols_of(dataset)``.
        rerank: rank by k-reciprocal re-ranking over the queries and the trial's gallery.

    Returns:
        A result for each protocol.

    Raises:
        ValueError: a track of a protocol has no feature or no identity, or features hold NaN.
    """
    keys = [track.key for track in tracks]
    return [
        Result(
            protocol.name,
            protocol.direction,
            protocol.rule,
            len(protocol.one_trial().query),
            _gallery_sizes(protocol),
            protocol.gallery_kind,
            rerank,
            tuple(_rank(protocol, features, keys, rerank)),
        )
        for protocol in protocols
    ]


def _gallery_sizes(protocol: Protocol) -> tuple[int, ...]:
    """Tracks that each trial ranks; one number for a protocol without trials."""
    if protocol.draws_queries:
        return (len(protocol.gallery),) * len(protocol.trials)
    return tuple(map(len, protocol.trials)) or (len(protocol.gallery),)


def _rank(
    protocol: Protocol, features: Tensor, keys: Sequence[str], rerank: bool
) -> list[RankMetrics]:
    """Means of every trial; one for a protocol without trials.

    The similarity of a block of queries to all tracks that any trial ranks is computed once; each
    trial takes its columns. Re-ranking looks at a whole gallery, so it is done trial by trial.
    """
    query, gallery = protocol_features(protocol, features, keys)
    query_ids, query_cameras = label_arrays(protocol.query)
    gallery_ids, gallery_cameras = label_arrays(protocol.gallery)
    if protocol.trials and not rerank and not protocol.draws_queries:
        return _rank_together(
            (query, query_ids, query_cameras), (gallery, gallery_ids, gallery_cameras), protocol
        )
    found = []
    everything = [np.arange(len(query)), np.arange(len(gallery))]
    for trial in protocol.trials or [range(len(protocol.gallery))]:
        drawn = np.array(trial, np.int64)
        asking, ranked = (
            (drawn, everything[1]) if protocol.draws_queries else (everything[0], drawn)
        )
        sides = transfers.rows_at(query, asking), transfers.rows_at(gallery, ranked)
        found.append(
            score_queries(
                _similarity(*sides, rerank),
                query_ids[asking],
                gallery_ids[ranked],
                query_cameras[asking],
                gallery_cameras[ranked],
                protocol=protocol.rule,
            )
        )
    return mean_metrics(found)


def _similarity(query: Tensor, gallery: Tensor, rerank: bool) -> Similarity:
    if rerank and len(query) and len(gallery):
        from .reranking import rerank as reranked  # loads the neighbour search

        return reranked(query, gallery)
    return InnerProducts(query, gallery)


def _rank_together(query: Side, gallery: Side, protocol: Protocol) -> list[RankMetrics]:
    """Means of each trial; both sides as features, identities, cameras."""
    trials = [np.array(trial, np.int64) for trial in protocol.trials]
    used = np.unique(np.concatenate(trials))
    device = gallery[0].device
    columns = [transfers.to_device(np.searchsorted(used, trial), device) for trial in trials]
    ranked = transfers.rows_at(gallery[0], used).float()
    parts: list[list[tuple[PerQueryMetrics, Tensor]]] = [[] for _ in trials]
    step = max(1, BLOCK_ENTRIES // max(1, len(used)))
    for start in range(0, len(query[1]), step):
        rows = slice(start, start + step)
        similarity = query[0][rows].float() @ ranked.T
        for trial, column, found in zip(trials, columns, parts):
            found.append(
                score_queries(
                    similarity[:, column],
                    query[1][rows],
                    gallery[1][trial],
                    query[2][rows],
                    gallery[2][trial],
                    protocol=protocol.rule,
                )
            )
    names = [field.name for field in fields(PerQueryMetrics)]
    return mean_metrics(
        [
            (
                PerQueryMetrics(
                    *(torch.cat([getattr(block, name) for block, _ in found]) for name in names)
                ),
                torch.stack([broken for _, broken in found]).sum(),
            )
            for found in parts
        ]
    )
