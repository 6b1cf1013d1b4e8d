"""Evaluation protocols as named objects: who queries, what is ranked, which camera rule holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..datasets.track import Dataset, Modality, Track
from .metrics import RankMetrics, Rule, rank_metrics_from_features

DIRECTIONS = {
    "v2i": (Modality.VISIBLE, Modality.INFRARED),
    "i2v": (Modality.INFRARED, Modality.VISIBLE),
}
KNOWN = ("hitsz-vcm", "bupt-campus", "folder")
SHOWN_IDS = 10


@dataclass(frozen=True)
class Protocol:
    """One direction of retrieval on one test split.

    Attributes:
        name: ``<data set>/<direction>``, for instance ``hitsz-vcm/v2i``.
        query: tracks that are looked for.
        gallery: tracks that are ranked.
        rule: which gallery tracks a query ignores, see ``metrics.rank_metrics``.
    """

    name: str
    query: Sequence[Track]
    gallery: Sequence[Track]
    rule: Rule

    @property
    def direction(self) -> str:
        """``v2i`` or ``i2v``."""
        return self.name.rpartition("/")[2]


def protocols(dataset: Dataset) -> list[Protocol]:
    """Both directions of a data set's test split, V2I first.

    HITSZ-VCM's query tracks are infrared and its gallery tracks visible: I2V ranks query → gallery,
    V2I is the transpose. BUPTCampus has both modalities on both sides, so each direction takes the
    tracks of its modality from each side. A ``folder`` data set with one modality on each side is
    read as the former, any other as the latter.

    Args:
        dataset: a data set with ``query`` and ``gallery``.

    Returns:
        ``<name>/v2i`` and ``<name>/i2v``, both under the standard camera rule.

    Raises:
        ValueError: no protocol is known for the data set.
    """
    if dataset.name not in KNOWN:
        raise ValueError(
            f"no evaluation protocol is known for data set {dataset.name!r}; "
            f"known: {', '.join(KNOWN)}"
        )
    query, gallery = tuple(dataset.query), tuple(dataset.gallery)
    asking, ranked = (sorted({track.modality for track in side}) for side in (query, gallery))
    forward = None  # the direction that query → gallery is, if it is only one
    if dataset.name == "hitsz-vcm":
        forward = "i2v"
    elif dataset.name == "folder" and len(asking) == len(ranked) == 1 and asking != ranked:
        forward = "v2i" if asking == [Modality.VISIBLE] else "i2v"
    found = []
    for direction, (asks, is_ranked) in DIRECTIONS.items():
        if forward is not None:
            sides = (query, gallery) if direction == forward else (gallery, query)
        else:
            sides = (
                tuple(track for track in query if track.modality == asks),
                tuple(track for track in gallery if track.modality == is_ranked),
            )
        found.append(Protocol(f"{dataset.name}/{direction}", *sides, rule="standard"))
    return found


def check_protocol(protocol: Protocol) -> list[str]:
    """Looks for what would spoil an evaluation, before any training.

    Args:
        protocol: one direction.

    Returns:
        Sentences about queries that the metrics will skip and about sides that mix modalities;
        empty if there is nothing to say.

    Raises:
        ValueError: a side is empty, a test track has no identity, or no query has a valid match;
            the message names identities and cameras.
    """
    name = protocol.name
    for side, tracks in (("query", protocol.query), ("gallery", protocol.gallery)):
        if not tracks:
            raise ValueError(
                f"{name}: the {side} is empty. Expected test tracks of both modalities; "
                "look at the counts of `vireid verify`."
            )
        nameless = [track.key for track in tracks if track.identity is None]
        if nameless:
            raise ValueError(
                f"{name}: {len(nameless)} of {len(tracks)} {side} tracks have no identity "
                f"(first: {nameless[0]}), so their ranking cannot be scored."
            )
    cameras = defaultdict(set)
    for track in protocol.gallery:
        cameras[track.identity].add(track.camera)
    absent = {track.identity for track in protocol.query} - cameras.keys()
    skipped = [
        track
        for track in protocol.query
        if not any(
            not ignores(protocol.rule, track.camera, camera, same_identity=True)
            for camera in cameras[track.identity]
        )
    ]
    hidden = {track.identity for track in skipped} - absent
    notes = [
        f"{name}: the {side} holds tracks of both modalities"
        for side, tracks in (("query", protocol.query), ("gallery", protocol.gallery))
        if len({track.modality for track in tracks}) > 1
    ]
    if absent:
        notes.append(
            f"{name}: {len(absent)} query identities are not in the gallery: {_some(absent)}"
        )
    if hidden:
        notes.append(
            f"{name}: all gallery tracks of some queries are left out by the camera rule "
            f"({protocol.rule}); identities: {_some(hidden)}"
        )
    if len(skipped) == len(protocol.query):
        raise ValueError(
            f"{name}: none of the {len(protocol.query)} queries has a match left in the gallery of "
            f"{len(protocol.gallery)} tracks. {'. '.join(notes)}. "
            f"Gallery identities: {_some({track.identity for track in protocol.gallery})}. "
            "Query and gallery must show the same people, by different cameras."
        )
    if skipped:
        notes.append(
            f"{name}: {len(skipped)} of {len(protocol.query)} queries are skipped for this reason"
        )
    return notes


def evaluate_protocol(
    protocol: Protocol, features: Tensor, keys: Sequence[str], *, rerank: bool = False
) -> RankMetrics:
    """Ranking metrics of one direction from the features of all test tracks.

    Args:
        protocol: one direction.
        features: [N, D] floating, unit rows.
        keys: the N track keys, in the order of ``features``.
        rerank: rank by the k-reciprocal distance over query and gallery tracks.

    Returns:
        Means over the queries that have a match left.

    Raises:
        ValueError: a track of the protocol has no feature.
    """
    query, gallery = protocol_features(protocol, features, keys)
    query_ids, query_cameras = track_labels(protocol.query)
    gallery_ids, gallery_cameras = track_labels(protocol.gallery)
    return rank_metrics_from_features(
        query,
        gallery,
        query_ids,
        gallery_ids,
        query_cameras,
        gallery_cameras,
        protocol=protocol.rule,
        rerank=rerank,
    )


def protocol_features(
    protocol: Protocol, features: Tensor, keys: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Rows of the query and of the gallery tracks, [Q, D] and [G, D].

    Args:
        protocol: one direction.
        features: [N, D].
        keys: the N track keys, in the order of ``features``.

    Raises:
        ValueError: a track of the protocol has no feature.
    """
    row_of = {key: row for row, key in enumerate(keys)}
    sides = []
    for tracks in (protocol.query, protocol.gallery):
        missing = [track.key for track in tracks if track.key not in row_of]
        if missing:
            raise ValueError(
                f"{protocol.name}: {len(missing)} of {len(tracks)} tracks have no feature "
                f"(first: {missing[0]})"
            )
        sides.append(features[[row_of[track.key] for track in tracks]])
    return sides[0], sides[1]


def track_labels(tracks: Sequence[Track]) -> tuple[Tensor, Tensor]:
    """Identities and cameras of tracks, two int64 tensors [N].

    Raises:
        ValueError: a track has no identity.
    """
    identities = [track.identity for track in tracks if track.identity is not None]
    if len(identities) != len(tracks):
        raise ValueError(
            f"{len(tracks) - len(identities)} of {len(tracks)} tracks have no identity"
        )
    return (
        torch.tensor(identities, dtype=torch.int64),
        torch.tensor([track.camera for track in tracks], dtype=torch.int64),
    )


def ignores(rule: str, query_camera: int, gallery_camera: int, *, same_identity: bool) -> bool:
    """Whether a query leaves a gallery item out under a camera rule of ``rank_metrics``."""
    if rule == "standard":
        return same_identity and query_camera == gallery_camera
    if rule == "sysu":
        return (query_camera, gallery_camera) == (3, 2)
    return rule == "sysu-symmetric" and {query_camera, gallery_camera} == {2, 3}


def _some(identities: Iterable[int | None]) -> str:
    ordered = sorted(identity for identity in identities if identity is not None)
    more = len(ordered) - SHOWN_IDS
    shown = ", ".join(map(str, ordered[:SHOWN_IDS]))
    return f"{shown} and {more} more" if more > 0 else shown
