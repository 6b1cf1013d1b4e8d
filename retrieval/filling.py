"""Adding tracklets to an index: each once, and whatever was added stays added."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError, shorten
from .embedding import Embedder
from .index_folder import IndexFolder
from .sightings import Sighting, duplicates
from .thumbnails import thumbnail

AT_ONCE = 1024  # tracklets of one version of the table


@dataclass(frozen=True)
class Added:
    """What became of the tracklets that were given.

    Attributes:
        added: new in the index.
        known: there already, with the same content.
        lost: left out: without a readable frame.
    """

    added: int
    known: int
    lost: int = 0


def add_sightings(
    index: IndexFolder,
    sightings: Sequence[Sighting],
    embedder: Embedder,
    *,
    skip_corrupt: bool = False,
    say: Callable[[str], None] = print,
) -> Added:
    """Adds what is not there yet.

    After a kill the same call goes on: what was added is known by its key and its content.

    Args:
        index: open, and locked by the caller.
        sightings: tracklets with keys of their own.
        embedder: the network whose vectors the index holds.
        skip_corrupt: leave unreadable frames out instead of stopping.
        say: tells the person at the keyboard.

    Returns:
        Counts.

    Raises:
        UserError: a key is there with another content, or is given twice; nothing was added.
        OSError: the disk takes no more; what was added before stays.
    """
    if twice := duplicates(sightings):
        raise UserError(
            f"{len(twice)} keys are given twice: {shorten(twice)}. Index the folders one by one, "
            "each with its own --prefix."
        )
    known = index.store.contents([one.track.key for one in sightings])
    changed = [
        one.track.key
        for one in sightings
        if one.track.key in known and known[one.track.key] != one.content()
    ]
    if changed:
        raise UserError(
            f"{index.path} holds {len(changed)} of these keys with other frames, camera or times: "
            f"{shorten(changed)}. Remove the old ones first (`vireid forget {index.path} --key "
            "KEY`), or give the new ones names of their own (--prefix NAME). Nothing was added."
        )
    new = [one for one in sightings if one.track.key not in known]
    added = 0
    for rows, vectors, pictures in _parts(index, new, embedder, skip_corrupt):
        index.store.add(rows, vectors, pictures)
        added += len(rows)
    lost = len(new) - added
    if lost:
        say(f"left out without a readable frame: {lost} of {len(new)} tracklets")
    return Added(added, len(sightings) - len(new), lost)


def _parts(
    index: IndexFolder, new: Sequence[Sighting], embedder: Embedder, skip_corrupt: bool
) -> Iterator[tuple[list[dict[str, Any]], NDArray[np.float16], list[bytes]]]:
    """Rows, vectors and thumbnails, so many at once."""
    if not new:
        return
    rows: list[dict[str, Any]] = []
    vectors: list[NDArray[np.float16]] = []
    pictures: list[bytes] = []
    tracks = [one.track for one in new]
    for numbers, features in embedder.features(
        tracks, skip_corrupt=skip_corrupt, show="tracklets into the index"
    ):
        if features.shape[1] != index.facts.width:
            raise UserError(
                f"the network gives {features.shape[1]} numbers a tracklet, and {index.path} was "
                f"made with {index.facts.width}; make a new index"
            )
        vectors.append(index.projection.apply(features))
        for number in numbers:
            rows.append(row_of(new[number]))
            pictures.append(thumbnail(tracks[number], blurred=index.facts.blurred))
        if len(rows) >= AT_ONCE:
            yield rows, np.concatenate(vectors), pictures
            rows, vectors, pictures = [], [], []
    if rows:
        yield rows, np.concatenate(vectors), pictures


def row_of(sighting: Sighting) -> dict[str, Any]:
    """What the table holds of a tracklet beside vector and thumbnail.

    Args:
        sighting: its frames are read for the fingerprint of the content.
    """
    return {
        "key": sighting.track.key,
        "content": sighting.content(),
        "camera": sighting.camera,
        "modality": sighting.track.modality.name.lower(),
        "start_time": sighting.start,
        "end_time": sighting.end,
        "frames": len(sighting.track.frames),
        "added": time.time(),
    }
