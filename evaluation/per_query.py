"""Ranking figures of every single query, computed block by block; ``metrics`` averages them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import get_args

import torch
from torch import Tensor

from ..datasets.spec import Rule
from .match_ranks import GalleryIndex, score_block
from .rerank import rerank as reranked

RULES: tuple[str, ...] = get_args(Rule)
SAME_CAMERA = ("standard", "llcm")  # leave out the query's identity in the query's camera
DISTINCT = ("sysu", "sysu-symmetric", "llcm")  # CMC counts each identity once

# Entries of the similarity that one block may hold (about 32 bytes each while it is sorted).
BLOCK_ENTRIES = 1 << 22


@dataclass(frozen=True)
class PerQueryMetrics:
    """Ranking figures query by query, [Q] on the device of the input.

    Attributes:
        valid: bool, the query has a match left.
        ap: float64 average precision, NaN where not valid.
        inp: float64 inverse negative penalty, NaN where not valid.
        first_rank: int64 rank of the first match as CMC counts it (from 1), 0 where not valid.
        ranked: int64 length of the list that CMC counts: gallery items left for the query, or
            distinct identities under the rules of SYSU-MM01 and LLCM.
    """

    valid: Tensor
    ap: Tensor
    inp: Tensor
    first_rank: Tensor
    ranked: Tensor


def per_query_metrics(
    similarity: Tensor,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
    *,
    protocol: Rule = "standard",
) -> PerQueryMetrics:
    """The figures behind ``rank_metrics``, query by query; arguments and errors are the same."""
    similarity = _matrix(similarity, "similarity")
    labels = _check_labels(
        (similarity.shape[0], similarity.shape[1]),
        similarity.device,
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        protocol,
    )
    return _score(lambda rows: _at_least_float(similarity[rows]), labels, protocol, "similarity")


def per_query_metrics_from_features(
    query: Tensor,
    gallery: Tensor,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None = None,
    gallery_cameras: Tensor | None = None,
    *,
    protocol: Rule = "standard",
    rerank: bool = False,
) -> PerQueryMetrics:
    """``per_query_metrics`` of inner products of features; arguments as their mean's."""
    query, gallery = _matrix(query, "query"), _matrix(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            "`query` and `gallery` must have the same feature length; "
            f"got {tuple(query.shape)} and {tuple(gallery.shape)}"
        )
    for name, features in (("query", query), ("gallery", gallery)):
        if bool(features.isnan().any()):
            rows = int(features.isnan().any(1).sum())
            raise ValueError(f"`{name}` holds NaN in {rows} of {len(features)} rows")
    dtype = torch.float64 if torch.float64 in (query.dtype, gallery.dtype) else torch.float32
    query, gallery = query.to(dtype), gallery.to(dtype)
    labels = _check_labels(
        (len(query), len(gallery)),
        query.device,
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        protocol,
    )
    if rerank and len(query) and len(gallery):
        distance = reranked(query, gallery)
        return _score(lambda rows: -distance.rows(rows), labels, protocol, "re-ranked distance")
    return _score(lambda rows: query[rows] @ gallery.T, labels, protocol, "query @ gallery.T")


@dataclass(frozen=True)
class _Labels:
    """Checked ids and cameras of both sides, int64 on the device of the similarity."""

    query_ids: Tensor
    gallery_ids: Tensor
    query_cameras: Tensor | None
    gallery_cameras: Tensor | None


def _check_labels(
    shape: tuple[int, int],
    device: torch.device,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cameras: Tensor | None,
    gallery_cameras: Tensor | None,
    protocol: str,
) -> _Labels:
    if protocol not in RULES:
        raise ValueError(f"`protocol` is one of {', '.join(RULES)}; got {protocol!r}")
    cameras = {"query_cameras": query_cameras, "gallery_cameras": gallery_cameras}
    for name, value in cameras.items():
        if value is None and protocol != "all":
            raise ValueError(
                f"protocol {protocol!r} leaves out gallery items by camera and needs `{name}`; "
                "pass it, or protocol='all' to leave nothing out"
            )
    queries, items = shape

    def vector(name: str, value: Tensor, length: int) -> Tensor:
        tensor = torch.as_tensor(value, device=device)
        if tensor.shape != (length,) or tensor.is_floating_point():
            raise ValueError(
                f"`{name}` must hold {length} integers, as {queries} queries x {items} items "
                f"are ranked; got shape {tuple(tensor.shape)}, {tensor.dtype}"
            )
        return tensor.long()

    return _Labels(
        vector("query_ids", query_ids, queries),
        vector("gallery_ids", gallery_ids, items),
        None if query_cameras is None else vector("query_cameras", query_cameras, queries),
        None if gallery_cameras is None else vector("gallery_cameras", gallery_cameras, items),
    )


def _score(
    similarity_of: Callable[[Tensor | slice], Tensor], labels: _Labels, protocol: str, name: str
) -> PerQueryMetrics:
    """Runs all blocks; ``similarity_of`` gives the [B, G] rows of the asked queries."""
    device, queries = labels.query_ids.device, len(labels.query_ids)
    result = PerQueryMetrics(
        valid=torch.zeros(queries, dtype=torch.bool, device=device),
        ap=torch.full((queries,), torch.nan, dtype=torch.float64, device=device),
        inp=torch.full((queries,), torch.nan, dtype=torch.float64, device=device),
        first_rank=torch.zeros(queries, dtype=torch.int64, device=device),
        ranked=torch.zeros(queries, dtype=torch.int64, device=device),
    )
    bad_rows = torch.zeros((), dtype=torch.int64, device=device)
    block = max(1, BLOCK_ENTRIES // max(1, len(labels.gallery_ids)))
    cameras = labels.query_cameras if protocol in SAME_CAMERA else None
    for queries_of_group, items in _groups(labels, protocol):
        gallery_ids = labels.gallery_ids if items is None else labels.gallery_ids[items]
        if len(gallery_ids) == 0:
            continue
        gallery_cameras = labels.gallery_cameras if protocol in SAME_CAMERA else None
        index = GalleryIndex(gallery_ids, gallery_cameras)
        total = queries if queries_of_group is None else len(queries_of_group)
        for start in range(0, total, block):
            rows: Tensor | slice = slice(start, start + block)
            if queries_of_group is not None:
                rows = queries_of_group[rows]
            part = similarity_of(rows)
            if items is not None:
                bad_rows += part.amax(1).isnan().sum()  # a maximum passes NaN on
                part = part[:, items]
            scores = score_block(
                part,
                labels.query_ids[rows],
                None if cameras is None else cameras[rows],
                index,
                distinct=protocol in DISTINCT,
            )
            if items is None:
                bad_rows += scores.broken.sum()
            for field in fields(result):
                getattr(result, field.name)[rows] = getattr(scores, field.name)
    if count := int(bad_rows):
        raise ValueError(f"`{name}` holds NaN in {count} of {queries} rows")
    return result


def _groups(labels: _Labels, protocol: str) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """Queries that see the same gallery, and that gallery; None stands for all.

    The SYSU-MM01 rules ignore whole cameras, so for them a rule is a choice of sub-galleries.
    """
    query_cameras, gallery_cameras = labels.query_cameras, labels.gallery_cameras
    if not protocol.startswith("sysu") or query_cameras is None or gallery_cameras is None:
        yield None, None
        return
    ignored = {3: 2, 2: 3} if protocol == "sysu-symmetric" else {3: 2}
    others = torch.ones_like(query_cameras, dtype=torch.bool)
    for camera, ignored_camera in ignored.items():
        mine = query_cameras == camera
        others &= ~mine
        yield mine.nonzero().squeeze(1), (gallery_cameras != ignored_camera).nonzero().squeeze(1)
    yield others.nonzero().squeeze(1), None


def _matrix(value: Tensor, name: str) -> Tensor:
    matrix = torch.as_tensor(value)
    if matrix.ndim != 2 or not matrix.is_floating_point():
        raise ValueError(
            f"`{name}` must be a floating matrix; got shape {tuple(matrix.shape)}, {matrix.dtype}"
        )
    return matrix.detach()


def _at_least_float(matrix: Tensor) -> Tensor:
    return matrix if matrix.dtype == torch.float64 else matrix.float()
