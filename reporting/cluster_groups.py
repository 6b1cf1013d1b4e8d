"""Clusters as people look at them: visible members beside their infrared partner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets.track import Modality
from ..pseudo_labels.majority import majorities
from ..pseudo_labels.stored_clustering import StoredClustering
from ..pseudo_labels.unlabelled_quality import silhouettes

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ClusterGroup:
    """One cluster, or a visible cluster with its infrared partner.

    Attributes:
        title: which clusters.
        visible: rows of the visible members.
        infrared: rows of the infrared members.
        people: different identities inside; None where identities are unknown.
        majority: the most frequent identity, the smallest of equals; None where unknown.
        purity: share of the members that show the majority identity; None where unknown.
        tightness: mean silhouette of the members among clusters of their own modality.
    """

    title: str
    visible: Integers
    infrared: Integers
    people: int | None
    majority: int | None
    purity: float | None
    tightness: float

    @property
    def size(self) -> int:
        """Members of both modalities."""
        return len(self.visible) + len(self.infrared)


@dataclass(frozen=True)
class SplitPerson:
    """A person whose tracks lie in several clusters.

    Attributes:
        identity: the person.
        parts: modality name and cluster (-1 = noise) → rows, larger parts first.
    """

    identity: int
    parts: list[tuple[str, int, Integers]]

    @property
    def clusters(self) -> int:
        """Clusters that hold the person, noise not counted."""
        return sum(label >= 0 for _, label, _ in self.parts)


def cluster_groups(clustering: StoredClustering) -> list[ClusterGroup]:
    """All groups: by the match, else by the labels over both modalities, else each by itself."""
    tightness = np.full(len(clustering.tracks), np.nan)
    for modality in Modality:
        rows = clustering.of(modality)
        if len(rows):
            features = clustering.features.numpy()[rows]
            tightness[rows] = silhouettes(features, clustering.labels[rows])

    def group(title: str, visible: Integers, infrared: Integers) -> ClusterGroup:
        rows = np.concatenate([visible, infrared])
        inner = tightness[rows][~np.isnan(tightness[rows])]
        tight = float(inner.mean()) if len(inner) else np.nan
        if clustering.identities is None:
            return ClusterGroup(title, visible, infrared, None, None, None, tight)
        people = clustering.identities[rows]
        most = majorities(np.zeros(len(rows), np.int64), people)
        majority, purity = int(most.values[0]), float(most.counts[0] / most.sizes[0])
        count = len(np.unique(people))
        return ClusterGroup(title, visible, infrared, count, majority, purity, tight)

    visible, infrared = (_members(clustering, modality) for modality in Modality)
    none = np.zeros(0, np.int64)
    if clustering.assignment is not None:
        found = []
        for number, partner in enumerate(clustering.assignment.tolist()):
            mine = visible.get(number, none)
            if partner >= 0:
                title = f"visible cluster {number} with infrared cluster {partner}"
                found.append(group(title, mine, infrared.get(partner, none)))
            elif len(mine):
                found.append(group(f"visible cluster {number}, without partner", mine, none))
        return found
    if clustering.unified is not None and (clustering.unified >= 0).any():
        unified, modalities = clustering.unified, clustering.modalities
        return [
            group(
                f"joint cluster {label}",
                np.flatnonzero((unified == label) & (modalities == Modality.VISIBLE)),
                np.flatnonzero((unified == label) & (modalities == Modality.INFRARED)),
            )
            for label in np.unique(unified[unified >= 0])
        ]
    return [group(f"visible cluster {n}", rows, none) for n, rows in visible.items()] + [
        group(f"infrared cluster {n}", none, rows) for n, rows in infrared.items()
    ]


def pick_groups(groups: Sequence[ClusterGroup], *, each: int = 2) -> list[tuple[str, ClusterGroup]]:
    """The groups that are worth a look, none twice.

    With identities: ``best`` (pure, then large), ``worst`` (least pure) and ``most mixed`` (most
    people). Without: ``largest``, ``tightest`` and ``loosest`` by silhouette.
    """
    if any(group.purity is None for group in groups):
        known = [group for group in groups if not np.isnan(group.tightness)]
        orders = [
            ("largest", sorted(groups, key=lambda g: -g.size)),
            ("tightest", sorted(known, key=lambda g: -g.tightness)),
            ("loosest", sorted(known, key=lambda g: g.tightness)),
        ]
    else:
        # Members of one modality only say nothing of the match, so they come last.
        good = sorted(groups, key=lambda g: (-_purity(g), -g.size))
        orders = [
            ("best", sorted(good, key=lambda g: not (len(g.visible) and len(g.infrared)))),
            ("worst", sorted(groups, key=lambda g: (_purity(g), -g.size))),
            ("most mixed", sorted(groups, key=lambda g: (-(g.people or 0), -g.size))),
        ]
    picked: list[tuple[str, ClusterGroup]] = []
    for grade, ordered in orders:
        fresh = [g for g in ordered if all(g is not other for _, other in picked)]
        if grade in ("worst", "most mixed"):
            fresh = [g for g in fresh if _purity(g) < 1]
        picked += [(grade, group) for group in fresh[:each]]
    return picked


def split_people(clustering: StoredClustering, *, most: int = 2) -> list[SplitPerson]:
    """The people whose tracks lie in the most clusters of their modality.

    Returns:
        People in more than one cluster of a modality, most split first; empty without identities.
    """
    if clustering.identities is None:
        return []
    found = []
    for identity in np.unique(clustering.identities):
        parts = []
        torn = False
        for modality in Modality:
            rows = clustering.of(modality)
            rows = rows[clustering.identities[rows] == identity]
            labels = clustering.labels[rows]
            torn |= len(np.unique(labels[labels >= 0])) > 1
            parts += [
                (modality.name.lower(), int(label), rows[labels == label])
                for label in np.unique(labels)
            ]
        parts.sort(key=lambda part: (part[0] == "infrared", part[1] < 0, -len(part[2])))
        if torn:
            found.append(SplitPerson(int(identity), parts))
    found.sort(key=lambda person: -person.clusters)
    return found[:most]


def _purity(group: ClusterGroup) -> float:
    return 0.0 if group.purity is None else group.purity


def _members(clustering: StoredClustering, modality: Modality) -> dict[int, Integers]:
    rows = clustering.of(modality)
    labels = clustering.labels[rows]
    return {int(label): rows[labels == label] for label in np.unique(labels[labels >= 0])}
