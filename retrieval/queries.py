"""Tracklets from files as queries: described by the network, projected as the index is."""

from __future__ import annotations

from collections.abc import Sequence

from .embedding import Embedder
from .index_folder import IndexFolder
from .search import Query
from .sightings import Sighting
from .thumbnails import thumbnail


def described_queries(
    index: IndexFolder,
    sightings: Sequence[Sighting],
    embedder: Embedder,
    *,
    skip_corrupt: bool = False,
) -> list[Query]:
    """Queries with their vectors.

    Args:
        index: whose projection they get.
        sightings: tracklets; at least one.
        embedder: the network whose vectors the index holds.
        skip_corrupt: leave unreadable frames out instead of stopping.

    Returns:
        In the order given; without those that have no readable frame.

    Raises:
        CorruptFrames: a frame cannot be read.
    """
    tracks = [one.track for one in sightings]
    queries = []
    for numbers, features in embedder.features(tracks, skip_corrupt=skip_corrupt, show="queries"):
        for number, vector in zip(numbers, index.projection.apply(features)):
            one = sightings[number]
            queries.append(
                Query(
                    one.track.key,
                    one.camera,
                    one.track.modality,
                    one.start,
                    one.end,
                    vector,
                    thumbnail(one.track, blurred=index.facts.blurred),
                )
            )
    return queries
