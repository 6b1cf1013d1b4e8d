"""What would spoil an evaluation, found before any training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from .protocols import Protocol, ignores

SHOWN_IDS = 10


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
                "look at the counts of `vireid verify`, or choose others with --protocol."
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


def _some(identities: Iterable[int | None]) -> str:
    ordered = sorted(identity for identity in identities if identity is not None)
    more = len(ordered) - SHOWN_IDS
    shown = ", ".join(map(str, ordered[:SHOWN_IDS]))
    return f"{shown} and {more} more" if more > 0 else shown
