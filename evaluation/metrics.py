"""Ranking metrics of cross-modality retrieval: CMC, mAP and mINP under named camera rules.

Definitions: CMC at rank r is the share of queries with a match among the first r ranked entries;
average precision is the mean over a query's matches of (matches so far / rank); the inverse
negative penalty is matches / rank of the last match (Ye et al., "Deep Learning for Person
Re-identification: A Survey and Outlook", arXiv:2001.04193, section 4.2). Means run over the queries
that have a match left; all other queries are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import get_args

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .. import transfers
from ..datasets.spec import Rule
from .ranking import UNIT, GalleryIndex, PerQueryMetrics, score_block
from .similarity import Similarity, WholeSimilarity

RULES: tuple[str, ...] = get_args(Rule)
"""Names of the camera rules; see ``rank_metrics``."""

Integers = NDArray[np.int64]
# Entries of the similarity that one block may hold (about 32 bytes each while it is sorted).
BLOCK_ENTRIES = 1 << 22


@dataclass(frozen=True)
class _CameraRule:
    """What a query ignores, and what its CMC counts."""

    own_camera: bool = False  # the query's identity in the query's camera
    ignored: Mapping[int, int] = field(default_factory=dict)  # query camera → gallery camera
    distinct: bool = False  # CMC counts each identity once


_CAMERA_RULES = {
    "standard": _CameraRule(own_camera=True),
    "sysu": _CameraRule(ignored={3: 2}, distinct=True),
    "sysu-symmetric": _CameraRule(ignored={3: 2, 2: 3}, distinct=True),
    "llcm": _CameraRule(own_camera=True, distinct=True),
    "all": _CameraRule(),
}


def ignores(rule: str, query_camera: int, gallery_camera: int, *, same_identity: bool) -> bool:
    """Whether a query leaves a gallery item out.

    Args:
        rule: of the cameras, a protocol of ``rank_metrics``.
        query_camera: where the query was seen.
        gallery_camera: where the item was seen.
        same_identity: whether both show one person.
    """
    found = _CAMERA_RULES[rule]
    own = found.own_camera and same_identity and query_camera == gallery_camera
    return own or found.ignored.get(query_camera) == gallery_camera


@dataclass(frozen=True)
class RankMetrics:
    """Means over the valid queries, as fractions of 1.

    Attributes:
        cmc: [max_rank] float64 on the device of the similarity, ``cmc[r - 1]`` is Rank-r.
        mAP: mean average precision.
        mINP: mean inverse negative penalty.
        valid_queries: queries that have a match left. With 0 of them all other values are NaN.
    """

    cmc: Tensor
    mAP: float
    mINP: float
    valid_queries: int


def rank_metrics(
    similarity: Tensor | Similarity,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
    *,
    protocol: Rule = "standard",
    max_rank: int = 20,
) -> RankMetrics:
    """CMC, mAP and mINP of a ranking.

    Equal similarities are ranked in gallery order, so the result is deterministic and the same on
    CPU and CUDA. Half precision is compared in float32; the matrix's layout does not matter.

    Args:
        similarity: [Q, G] floating, larger is more similar (pass ``-distance`` for a distance). For
            sets too large for a matrix, ``InnerProducts(query, gallery)`` of their features; with
            re-ranking, ``rerank(query, gallery)``.
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
    scores, broken = score_queries(
        similarity, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol=protocol
    )
    mean = mean_metrics([(scores, broken)], max_rank)[0]
    return replace(mean, cmc=mean.cmc.to(scores.ap.device, non_blocking=True))


def per_query_metrics(
    similarity: Tensor | Similarity,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
    *,
    protocol: Rule = "standard",
) -> PerQueryMetrics:
    """The figures behind ``rank_metrics``, query by query.

    Args:
        similarity, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol: as there, and
            the errors too.
    """
    scores, broken = score_queries(
        similarity, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol=protocol
    )
    _refuse_broken(int(transfers.to_host(broken)), len(scores.valid))
    return scores


def score_queries(
    similarity: Tensor | Similarity,
    query_ids: Tensor | ArrayLike,
    gallery_ids: Tensor | ArrayLike,
    query_cameras: Tensor | ArrayLike | None = None,
    gallery_cameras: Tensor | ArrayLike | None = None,
    *,
    protocol: Rule = "standard",
) -> tuple[PerQueryMetrics, Tensor]:
    """``per_query_metrics`` that leaves NaN to the caller, and so waits for no device.

    Only identities and cameras that lie on a device are waited for; those of the host are not.

    Args:
        similarity, query_ids, gallery_ids, query_cameras, gallery_cameras, protocol: as for
            ``rank_metrics``.

    Returns:
        The figures of each query, and how many rows of the similarity hold NaN, a scalar int64 on
        its device; with any, the figures mean nothing. :func:`mean_metrics` looks at both.

    Raises:
        ValueError: shapes disagree, cameras are missing, or the protocol is unknown.
    """
    if not isinstance(similarity, Similarity):
        similarity = WholeSimilarity(similarity)
    if protocol not in RULES:
        raise ValueError(f"`protocol` is one of {', '.join(RULES)}; got {protocol!r}")
    shape = similarity.shape
    asked = _integers("query_ids", query_ids, shape[0], shape)
    ranked = _integers("gallery_ids", gallery_ids, shape[1], shape)
    cameras: list[Integers] = []
    sides = (("query_cameras", query_cameras), ("gallery_cameras", gallery_cameras))
    for length, (name, value) in zip(shape, sides):
        if value is not None:
            cameras.append(_integers(name, value, length, shape))
        elif protocol != "all":
            raise ValueError(
                f"protocol {protocol!r} leaves out gallery items by camera and needs `{name}`; "
                "pass it, or protocol='all' to leave nothing out"
            )
    return _score(similarity, asked, ranked, cameras, _CAMERA_RULES[protocol])


def _integers(
    name: str, value: Tensor | ArrayLike, length: int, shape: tuple[int, int]
) -> Integers:
    """Identities or cameras as the host knows them: who is ranked with whom is settled there."""
    found = transfers.host_array(value)
    if found.shape != (length,) or found.dtype.kind not in "iub":
        raise ValueError(
            f"`{name}` must hold {length} integers, as {shape[0]} queries x {shape[1]} items "
            f"are ranked; got shape {found.shape}, {found.dtype}"
        )
    return found.astype(np.int64)


def _score(
    similarity: Similarity,
    query_ids: Integers,
    gallery_ids: Integers,
    cameras: list[Integers],
    rule: _CameraRule,
) -> tuple[PerQueryMetrics, Tensor]:
    """Runs all blocks; cameras of queries and gallery where the rule needs them."""
    device, queries = similarity.device, len(query_ids)
    result = PerQueryMetrics(
        valid=torch.zeros(queries, dtype=torch.bool, device=device),
        ap=torch.full((queries,), torch.nan, dtype=torch.float64, device=device),
        inp=torch.full((queries,), torch.nan, dtype=torch.float64, device=device),
        first_rank=torch.zeros(queries, dtype=torch.int64, device=device),
        ranked=torch.zeros(queries, dtype=torch.int64, device=device),
    )
    bad_rows = torch.zeros((), dtype=torch.int64, device=device)
    block = max(1, BLOCK_ENTRIES // max(1, len(gallery_ids)))
    asked = transfers.to_device(query_ids, device)
    own_cameras = transfers.to_device(cameras[0], device) if rule.own_camera else None
    for group, items in _groups(cameras, rule):
        seen = gallery_ids if items is None else gallery_ids[items]
        if len(seen) == 0:
            continue
        index = GalleryIndex(seen, cameras[1] if rule.own_camera else None, device)
        columns = None if items is None else transfers.to_device(items, device)
        places = None if group is None else transfers.to_device(group, device)
        for start in range(0, queries if group is None else len(group), block):
            rows: Tensor | slice = slice(start, start + block)
            if places is not None:
                rows = places[rows]
            part = similarity.rows(rows)
            if columns is not None:
                bad_rows += part.amax(1).isnan().sum()  # a maximum passes NaN on
                part = part[:, columns]
            scores, broken = score_block(
                part,
                asked[rows],
                None if own_cameras is None else own_cameras[rows],
                index,
                distinct=rule.distinct,
            )
            if items is None:
                bad_rows += broken.sum()
            for figure in fields(result):
                getattr(result, figure.name)[rows] = getattr(scores, figure.name)
    return result, bad_rows


def _refuse_broken(rows: int, queries: int) -> None:
    if rows:
        raise ValueError(f"`similarity` holds NaN in {rows} of {queries} rows")


def _groups(
    cameras: list[Integers], rule: _CameraRule
) -> Iterator[tuple[Integers | None, Integers | None]]:
    """Queries that see the same gallery, and that gallery; None stands for all.

    A rule that ignores whole cameras is a choice of sub-galleries.
    """
    if not rule.ignored:
        yield None, None
        return
    query_cameras, gallery_cameras = cameras
    others = np.ones(len(query_cameras), bool)
    for camera, ignored_camera in rule.ignored.items():
        mine = query_cameras == camera
        others &= ~mine
        yield np.flatnonzero(mine), np.flatnonzero(gallery_cameras != ignored_camera)
    yield np.flatnonzero(others), None


def mean_metrics(
    trials: Sequence[tuple[PerQueryMetrics, Tensor]], max_rank: int = 20
) -> list[RankMetrics]:
    """Means of per-query figures over the valid queries, of several rankings for one wait.

    Args:
        trials: at least one ranking, as :func:`score_queries` gives it; all on one device. Where
            no query is valid, the means are NaN.
        max_rank: length of the CMC curve; it keeps its last value beyond a short gallery.

    Returns:
        Means of each ranking, all on the CPU.

    Raises:
        ValueError: ``max_rank`` is below 1, or a similarity holds NaN.
    """
    if max_rank < 1:
        raise ValueError(f"`max_rank` must be at least 1; got {max_rank}")
    figures = torch.stack([_figures(scores, broken, max_rank) for scores, broken in trials])
    found = transfers.to_host(figures)
    means = []
    for (scores, _), row in zip(trials, found):
        broken, count, mean_ap, mean_inp = row[:4].tolist()
        _refuse_broken(int(broken), len(scores.valid))
        means.append(RankMetrics(torch.from_numpy(row[4:]), mean_ap, mean_inp, int(count)))
    return means


def _figures(scores: PerQueryMetrics, broken: Tensor, max_rank: int) -> Tensor:
    """Rows with NaN, valid queries, mAP, mINP and the CMC curve: [4 + max_rank] float64."""
    count = scores.valid.sum()
    values = torch.stack((scores.ap, scores.inp)).nan_to_num(nan=0.0)
    sums = (values * UNIT).round().long().sum(1).double() / UNIT
    ranks = torch.arange(1, max_rank + 1, device=count.device)
    reached = (scores.first_rank[:, None] <= ranks) & scores.valid[:, None]
    cmc = reached.sum(0).double() / count.double()  # 0 / 0 is the documented NaN
    counts = torch.stack((broken, count)).double()
    return torch.cat((counts, sums / count.double(), cmc))
