"""Evaluation protocols as named objects: who queries, what is ranked, which camera rule holds."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import transfers
from ..datasets.registry import DATASETS, known_names
from ..datasets.spec import ProtocolRecipe
from ..datasets.track import Dataset, Modality, Track
from .galleries import official_gallery, read_permutations, seeded_gallery
from .metrics import Rule, ignores

SHOWN_IDS = 10
GalleryKind = Literal["whole", "seeded", "official", "drawn-query"]


@dataclass(frozen=True)
class Protocol:
    """One direction of retrieval on one test split, with one gallery or one for each trial.

    Attributes:
        name: ``<data set>/[…/]<direction>``, for instance ``hitsz-vcm/v2i``.
        query: tracks that are looked for.
        gallery: tracks that are ranked; with ``trials`` the candidates of which each trial ranks
            some.
        rule: which gallery tracks a query ignores, see ``metrics.rank_metrics``.
        trials: for each trial the positions in ``gallery`` that it ranks; empty: one ranking of the
            whole gallery. Of kind ``drawn-query`` the positions in ``query`` that it asks for.
        gallery_kind: how the galleries were drawn; ``drawn-query``: the queries were, and each
            trial ranks the whole gallery.
    """

    name: str
    query: Sequence[Track]
    gallery: Sequence[Track]
    rule: Rule
    trials: Sequence[Sequence[int]] = ()
    gallery_kind: GalleryKind = "whole"

    @property
    def direction(self) -> str:
        """``v2i`` or ``i2v``, also where the name says thermal (``v2t``, ``t2v``)."""
        end = self.name.rpartition("/")[2]
        return {"v2t": "v2i", "t2v": "i2v"}.get(end, end)

    @property
    def draws_queries(self) -> bool:
        """Whether trials draw among the queries instead of the gallery."""
        return self.gallery_kind == "drawn-query" and bool(self.trials)

    def one_trial(self, index: int = 0) -> Protocol:
        """The protocol with the sides of a trial as its whole ones; itself without trials."""
        if not self.trials:
            return self
        if self.draws_queries:
            asking = [self.query[position] for position in self.trials[index]]
            return replace(self, query=asking, trials=())
        ranked = [self.gallery[position] for position in self.trials[index]]
        return replace(self, gallery=ranked, trials=())


def protocols_of(
    dataset: Dataset, names: str | Sequence[str] = (), *, gallery: str = "seeded"
) -> list[Protocol]:
    """The protocols of a data set's test split.

    Which there are, and what the two sides of the split show, says the data set's
    :class:`~vireid.datasets.spec.DatasetSpec`. Where a recipe draws galleries, each is drawn from
    all test tracks of the side that is ranked.

    Args:
        dataset: a data set with ``query`` and ``gallery``. ``options["trial"]`` is its numbered
            split, ``root`` the folder in which its own permutations lie.
        names: see ``choose_protocols``.
        gallery: ``seeded``, galleries from a generator as released code draws them,
            or ``official``, the data set's own permutations, which SYSU-MM01 has.

    Returns:
        One protocol for each name, in the order of the names; by default V2I before I2V.

    Raises:
        ValueError: no protocol is known for the data set or by a name, or the official galleries
            are asked for and cannot be had.
    """
    trial = dataset.options.get("trial", 1)
    assert isinstance(trial, int)
    chosen = choose_protocols(dataset.name, names, trial)
    recipes = recipes_of(dataset.name, trial)
    if gallery not in ("seeded", "official"):
        raise ValueError(f"`gallery` is seeded or official; got {gallery!r}")
    if gallery == "official" and DATASETS[dataset.name].official_galleries is None:
        having = [spec.title for spec in DATASETS.values() if spec.official_galleries]
        raise ValueError(
            f"--gallery official: only {', '.join(having)} comes with galleries of its own; "
            f"{dataset.name} has none. Leave the setting out."
        )
    return [_build(dataset, name, recipes[name], gallery == "official") for name in chosen]


def recipes_of(dataset: str, trial: int) -> dict[str, ProtocolRecipe]:
    """All protocols of a known data set by full name; of one trial where it has several."""
    spec = DATASETS[dataset]
    start = f"{dataset}/trial-{trial}" if spec.trials else dataset
    return {f"{start}/{recipe.name}": recipe for recipe in spec.protocols}


def known_protocols(dataset: str, trial: int = 1) -> list[str]:
    """Full names of the protocols of a data set; see ``choose_protocols`` for shorter ones.

    Raises:
        ValueError: no protocol is known for the data set.
    """
    if dataset not in DATASETS:
        raise ValueError(
            f"no evaluation protocol is known for data set {dataset!r}; known: {known_names()}"
        )
    return list(recipes_of(dataset, trial))


def choose_protocols(dataset: str, names: str | Sequence[str] = (), trial: int = 1) -> list[str]:
    """Full names of the protocols that are asked for.

    Args:
        dataset: registered name of the data set.
        names: protocol names, as a sequence or joined by commas. A shorter name stands for the
            published protocols below it: ``sysu-mm01/all/single`` for its direction I2V,
            ``regdb/trial-3`` for both directions. Nothing: the data set's usual ones.
        trial: where it has numbered splits, the one that was read.

    Returns:
        Names without repetition, in the order asked for.

    Raises:
        ValueError: a name is unknown (the message lists the known ones), or is of another trial.
    """
    known = known_protocols(dataset, trial)
    recipes = recipes_of(dataset, trial)
    asked = names.split(",") if isinstance(names, str) else list(names)
    asked = [name.strip().lower().strip("/") for name in asked if name.strip()]
    if not asked:
        return [name for name in known if recipes[name].default]
    chosen: dict[str, None] = {}
    for name in asked:
        below = [full for full in known if full.startswith(name + "/") and recipes[full].published]
        if name == dataset:
            below = [full for full in below if recipes[full].default]
        if name in recipes:
            below = [name]
        if not below:
            spec, other = DATASETS[dataset], trial_of(name)
            if spec.trials and name.startswith(f"{dataset}/") and other not in (None, trial):
                raise ValueError(
                    f"protocol {name} tests on trial {other} of {spec.title}, but trial {trial} "
                    f"was read; give --trial {other}, or a protocol of trial {trial}: "
                    f"{', '.join(known)}"
                )
            raise ValueError(
                f"no protocol {name!r} for data set {dataset}; known: {', '.join(known)}"
            )
        chosen.update(dict.fromkeys(below))
    return list(chosen)


def trial_of(names: str | Sequence[str]) -> int | None:
    """The trial that protocol names speak of, None if they speak of none.

    Raises:
        ValueError: they speak of several.
    """
    text = names if isinstance(names, str) else ",".join(names)
    trials = {int(number) for number in re.findall(r"/trial-(\d+)", text.lower())}
    if len(trials) > 1:
        raise ValueError(
            f"protocols of several trials ({', '.join(map(str, sorted(trials)))}): a model is "
            "tested on the trial that it was trained on. Evaluate each model by itself; "
            "`vireid average RUN RUN ...` gives the mean over the trials."
        )
    return trials.pop() if trials else None


def _build(dataset: Dataset, name: str, recipe: ProtocolRecipe, official: bool) -> Protocol:
    query, ranked = _sides(dataset, recipe.asks)
    if recipe.cameras is not None:
        query, ranked = (
            tuple(t for t in side if t.modality != Modality.VISIBLE or t.camera in recipe.cameras)
            for side in (query, ranked)
        )
    shots = recipe.shots
    if shots is None:
        return Protocol(name, query, ranked, recipe.rule)
    file = DATASETS[dataset.name].official_galleries
    if official and file is not None:
        rows = read_permutations(dataset.root / file)
        trials = [official_gallery(ranked, shots, n + 1, rows) for n in range(recipe.galleries)]
        return Protocol(name, query, ranked, recipe.rule, trials, "official")
    drawn = query if recipe.draws == "query" else ranked
    trials = [seeded_gallery(drawn, shots, seed) for seed in range(recipe.galleries)]
    kind: GalleryKind = "drawn-query" if recipe.draws == "query" else "seeded"
    return Protocol(name, query, ranked, recipe.rule, trials, kind)


def _sides(dataset: Dataset, asks: Modality) -> tuple[tuple[Track, ...], tuple[Track, ...]]:
    """Query and gallery of a direction."""
    side = DATASETS[dataset.name].query_side
    query, gallery = tuple(dataset.query), tuple(dataset.gallery)
    asking, ranked = (sorted({track.modality for track in side}) for side in (query, gallery))
    forward = None  # who asks in the one direction that query → gallery is, if it is only one
    if side == "infrared":
        forward = Modality.INFRARED
    elif side == "any" and len(asking) == len(ranked) == 1 and asking != ranked:
        forward = asking[0]
    if forward is not None:
        return (query, gallery) if asks == forward else (gallery, query)
    return (
        tuple(track for track in query if track.modality == asks),
        tuple(track for track in gallery if track.modality == asks.other),
    )


def tracks_of(protocols: Iterable[Protocol]) -> list[Track]:
    """Every track that the protocols ask for or rank, once: those that need a feature."""
    sides = (track for protocol in protocols for track in (*protocol.query, *protocol.gallery))
    return list({track.key: track for track in sides}.values())


def protocol_features(
    protocol: Protocol, features: Tensor, keys: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Rows of the query and of the gallery tracks, [Q, D] and [G, D].

    Args:
        protocol: one direction.
        features, keys: [N, D], and the keys of the N tracks.

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
        sides.append(transfers.rows_at(features, [row_of[track.key] for track in tracks]))
    return sides[0], sides[1]


def track_labels(tracks: Sequence[Track]) -> tuple[Tensor, Tensor]:
    """Identities and cameras of tracks, two int64 tensors [N].

    Raises:
        ValueError: a track has no identity.
    """
    identities, cameras = label_arrays(tracks)
    return torch.from_numpy(identities), torch.from_numpy(cameras)


def label_arrays(tracks: Sequence[Track]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """:func:`track_labels` as arrays of the host."""
    identities = [track.identity for track in tracks if track.identity is not None]
    if len(identities) != len(tracks):
        raise ValueError(
            f"{len(tracks) - len(identities)} of {len(tracks)} tracks have no identity"
        )
    return np.array(identities, np.int64), np.array([t.camera for t in tracks], np.int64)


def check_protocol(protocol: Protocol) -> list[str]:
    """Looks for what would spoil an evaluation under a protocol, before any training.

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
        if all(
            ignores(protocol.rule, track.camera, camera, same_identity=True)
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
