"""Whether training, query and gallery fit together: oddities that a person should know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from ..errors import shorten
from .track import Modality, Track


def consistency_notices(
    train: Sequence[Track],
    query: Sequence[Track],
    gallery: Sequence[Track],
    *,
    numbered_apart: bool = False,
) -> Iterable[str]:
    """Looks for people of one modality, people on both sides, and queries without an answer.

    Args:
        train, query, gallery: their tracks.
        numbered_apart: training and test give one number to different people, on purpose.

    Yields:
        One sentence for each kind of oddity, naming identities.
    """
    yield from _single_modality(train)
    shared = {t.identity for t in train} & {t.identity for t in (*query, *gallery)} - {None}
    if shared and not numbered_apart:
        yield f"{len(shared)} identities are in training and test: {_some(shared)}"
    pairs = [(query, gallery)]
    if len({t.modality for t in query}) == len({t.modality for t in gallery}) == 1:
        pairs.append((gallery, query))  # the other direction ranks the transposed matrix
    for asking, answering in pairs:
        yield from _unanswered(asking, answering)


def _single_modality(tracks: Sequence[Track]) -> Iterable[str]:
    seen: dict[int, set[Modality]] = defaultdict(set)
    for track in tracks:
        if track.identity is not None:
            seen[track.identity].add(track.modality)
    for modality in Modality:
        only = {identity for identity, kinds in seen.items() if kinds == {modality}}
        if only:
            yield (
                f"train: {len(only)} of {len(seen)} identities are {modality.name.lower()} only: "
                f"{_some(only)}"
            )


def _unanswered(asking: Sequence[Track], answering: Sequence[Track]) -> Iterable[str]:
    cameras: dict[tuple[int | None, Modality], set[int]] = defaultdict(set)
    for track in answering:
        cameras[track.identity, track.modality].add(track.camera)
    absent: Counter[tuple[Modality, int | None]] = Counter()
    beside: Counter[tuple[Modality, int | None]] = Counter()
    for track in asking:
        places = cameras.get((track.identity, track.modality.other), set())
        if not places:
            absent[track.modality, track.identity] += 1
        elif places == {track.camera}:
            beside[track.modality, track.identity] += 1
    for counter, reason in (
        (absent, "have no {other} track of their identity in the gallery"),
        (beside, "have {other} tracks of their identity only in their own camera"),
    ):
        for modality in Modality:
            people = {identity: n for (m, identity), n in counter.items() if m is modality}
            if people:
                said = reason.format(other=modality.other.name.lower())
                yield (
                    f"test: {sum(people.values())} {modality.name.lower()} queries {said} and do "
                    f"not count; identities {_some(people)}"
                )


def _some(identities: Iterable[int | None]) -> str:
    ordered: list[int] = sorted(i for i in identities if i is not None)
    return shorten(ordered)
