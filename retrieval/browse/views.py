"""Tracklets and judgements as plain values, with names that a page may show as they are."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...pseudo_labels.identities import Identities
from ...pseudo_labels.judgements import Judgement
from ...reading import visible
from ..conditions import one_of
from ..moments import written
from ..store import KEYS_AT_ONCE, TrackletStore
from .catalogue import Seen

Values = dict[str, Any]


def tracklet_views(
    store: TrackletStore, tracklets: Sequence[Seen], known: Identities
) -> list[Values]:
    """Tracklets with their pictures.

    Args:
        store: holds the pictures.
        tracklets: what is shown.
        known: who is who.
    """
    pictures: dict[str, bytes] = {}
    for keys in in_parts([one.key for one in tracklets]):
        rows = store.rows(one_of("key", keys), ("key", "thumbnail"))
        pictures |= {row["key"]: row["thumbnail"] for row in rows}
    return [
        {
            "key": one.key,
            "shown": visible(one.key),
            "camera": visible(one.camera),
            "modality": one.modality,
            "start": one.start,
            "end": one.end,
            "time": written(one.start),
            "picture": base64.b64encode(pictures.get(one.key, b"")).decode("ascii"),
            "identity": identity.number if (identity := known.of(one.key)) else None,
            "size": known.size(one.key),
        }
        for one in tracklets
    ]


def standing(
    said: Mapping[tuple[str, str], Judgement], known: Identities, first: str, second: str
) -> Values:
    """What was said about a pair, and whether *same* follows from what was said about others.

    Args:
        said: judgements that stand, by sorted pair.
        known: identities of the same judgements.
        first, second: keys of the two.
    """
    one = said.get((min(first, second), max(first, second)))
    return {"answer": one.answer if one else None, "follows": known.joined(first, second)}


def told(one: Judgement) -> Values:
    """A judgement.

    Args:
        one: that stands.
    """
    return {
        "number": one.number,
        "first_shown": visible(one.first),
        "second_shown": visible(one.second),
        "answer": one.answer,
        "time": one.time.strftime("%Y-%m-%d %H:%M"),
    }


def in_parts(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    """Keys in parts that fit into one condition.

    Args:
        keys: any number.
    """
    return (keys[start : start + KEYS_AT_ONCE] for start in range(0, len(keys), KEYS_AT_ONCE))
