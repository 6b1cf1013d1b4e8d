"""Comparisons of query with gallery tracks, scored in blocks, in the terms of ISO/IEC 19795-1.

A comparison is *mated* if both tracks show one person, else *non-mated*. It is a match if its score
is at or above a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import transfers
from ..datasets.spec import Rule
from .metrics import ignores

Numbers = NDArray[np.int64]
Scores = NDArray[np.float32]
BLOCK_ENTRIES = 1 << 22  # of the similarity that a block holds; about 20 bytes each


@dataclass(frozen=True)
class Sightings:
    """Tracks of known people, one side of the comparisons.

    Attributes:
        features: [N, D] floating, unit rows.
        people: [N] int64, person of each track.
        cameras: [N] int64.
    """

    features: Tensor
    people: Numbers
    cameras: Numbers

    def __len__(self) -> int:
        return len(self.people)

    def of(self, chosen: NDArray[np.bool_] | Numbers) -> Sightings:
        """Some of them.

        Args:
            chosen: a mask [N], or places.
        """
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        rows = transfers.rows_at(self.features, places)
        return Sightings(rows, self.people[places], self.cameras[places])


@dataclass(frozen=True)
class Block:
    """Comparisons of some queries with the whole gallery.

    Attributes:
        queries: which, [B].
        scores: [B, G] float32.
        mated: [B, G] bool; comparisons of one person that count.
        nonmated: [B, G] bool; comparisons of two people that count.
    """

    queries: Numbers
    scores: Scores
    mated: NDArray[np.bool_]
    nonmated: NDArray[np.bool_]


class Comparisons:
    """All comparisons of two sides; no matrix of them ever exists as a whole.

    Args:
        query, gallery: the two sides.
        rule: which comparisons a camera rule leaves out, see ``rank_metrics``.

    Attributes:
        query: as given.
        gallery: sorted by person.
        people: the P people of either side, ascending.
        starts: where each enrolled person's tracks begin in ``gallery``, ascending.
        enrolled: place of each person of the gallery in ``people``, in the order of ``starts``.
    """

    def __init__(self, query: Sightings, gallery: Sightings, rule: Rule) -> None:
        gallery = gallery.of(np.argsort(gallery.people, kind="stable"))
        self.query, self.gallery = query, gallery
        self.people = np.unique(np.concatenate([query.people, gallery.people]))
        self.query_person = np.searchsorted(self.people, query.people)
        self.gallery_person = np.searchsorted(self.people, gallery.people)
        self.enrolled, self.starts = np.unique(self.gallery_person, return_index=True)
        self._query_camera, self._gallery_camera, self._counts = self._tables(rule)

    def _tables(self, rule: Rule) -> tuple[Numbers, Numbers, dict[bool, NDArray[np.bool_]]]:
        """Numbers of the cameras, and for mated and non-mated which pairs of them count."""
        asking, query = np.unique(self.query.cameras, return_inverse=True)
        ranked, gallery = np.unique(self.gallery.cameras, return_inverse=True)
        tables = {
            own: np.array(
                [[not ignores(rule, a, b, same_identity=own) for b in ranked] for a in asking], bool
            ).reshape(len(asking), len(ranked))
            for own in (True, False)
        }
        return query, gallery, tables

    def blocks(self) -> Iterator[Block]:
        """The comparisons, some queries at a time."""
        step = max(1, BLOCK_ENTRIES // max(1, len(self.gallery)))
        columns = self.gallery.features.float().T
        for start in range(0, len(self.query), step):
            rows = np.arange(start, min(start + step, len(self.query)))
            with torch.inference_mode():
                part = self.query.features[start : start + step].float() @ columns
            same = self.query_person[rows, None] == self.gallery_person[None]
            cameras = np.ix_(self._query_camera[rows], self._gallery_camera)
            yield Block(
                rows,
                transfers.to_host(part),
                same & self._counts[True][cameras],
                ~same & self._counts[False][cameras],
            )

    @property
    def mated_people(self) -> int:
        """How many people have a mated comparison."""
        sides = self._by_camera()
        paired = (sides[0] @ self._counts[True].astype(np.float64)) * sides[1]
        return int((paired.sum(axis=1) > 0).sum())

    def _by_camera(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Tracks of each person in each camera, of query and of gallery."""
        sides = []
        for person, camera in (
            (self.query_person, self._query_camera),
            (self.gallery_person, self._gallery_camera),
        ):
            table = np.zeros((len(self.people), int(camera.max()) + 1))
            np.add.at(table, (person, camera), 1)
            sides.append(table)
        return sides[0], sides[1]

    def nonmated_total(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many non-mated comparisons there are where people count several times or never.

        Args:
            weights: [B, P], how often each person counts.

        Returns:
            [B] float64; comparisons of a person with a copy of his are none.
        """
        allowed = self._counts[False].astype(np.float64)
        asking, ranked = self._by_camera()
        all_of = ((weights @ asking) @ allowed * (weights @ ranked)).sum(axis=1)
        own = ((asking @ allowed) * ranked).sum(axis=1)
        total: NDArray[np.float64] = all_of - weights**2 @ own
        return total
