"""Some labels given, the rest clustered and matched."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .. import transfers
from ..clustering.subclusters import subcluster_centres
from ..datasets.track import Modality, Track
from ..distributed import ranks
from ..pseudo_labels.majority import Majorities, majorities
from .given_labels import Given
from .match_clusters import ClusterMatching, cost_of_clusters, match_clusters
from .matching import UNMATCHED, match, matching_cost, unify_labels
from .options import MatchingOptions

Side = tuple[np.ndarray, np.ndarray]  # clusters of a modality's tracks, identity of each cluster


def known_classes(tracks: Sequence[Track]) -> np.ndarray:
    """Labels that training may see, as classes 0 … L−1, [N] int64; -1 = not given."""
    names = sorted({track.identity for track in tracks if track.identity is not None})
    number = {name: i for i, name in enumerate(names)}
    return np.array(
        [-1 if track.identity is None else number[track.identity] for track in tracks], np.int64
    )


def taught_tracks(tracks: Sequence[Track], given: Given | None) -> list[Track]:
    """Tracks with the identities that make clusters; those given for matching alone are hidden."""
    if given is None or given.form != "matches":
        return list(tracks)
    return [dataclasses.replace(track, identity=None) for track in tracks]


def modalities_to_cluster(tracks: Sequence[Track]) -> list[Modality]:
    """Modalities with a track whose label is not given."""
    hidden = {track.modality for track in tracks if track.identity is None}
    return [modality for modality in Modality if modality in hidden]


def match_with_given(
    features: Tensor,
    labels: np.ndarray,
    tracks: Sequence[Track],
    given: Given | None,
    options: MatchingOptions,
    *,
    seed: int,
) -> ClusterMatching:
    """Clusters and matching of stage two, with the given labels where there are any.

    Tracks with a given label form one cluster for each identity and modality; the others keep the
    cluster that they were found in, without its labelled members. Then:

    - ``visible``: each infrared cluster looks for its labelled identity, by the options' cost
      and matcher; with ``nearest`` several may take one, and become one cluster.
    - ``tracks``: every identity has labelled tracks in each modality where it is seen, so each
      cluster joins the identity of least cost in its own modality.
    - ``identities``: the others are other people, so their clusters are matched among themselves.
    - ``matches``: clusters stay as they were found, and each visible one is matched with the
      largest infrared one of the identity that most of its tracks have. No method: it measures what
      wrong matches cost.

    An identity that is labelled in both modalities is matched with itself.

    Args:
        features: [N, D] unit features.
        labels: [N] int64 clusters of all tracks, counted within each modality, -1 = noise; those
            of labelled tracks are not used.
        tracks: the N tracks, with the given identities alone.
        given: which labels are given; None = none.
        options: number of centres, cost and matcher.
        seed: of the K-means.
    """
    # By one process, so that no two can disagree.
    return ranks.from_main(
        lambda: _match_with_given(features, labels, tracks, given, options, seed=seed)
    )


def _match_with_given(
    features: Tensor,
    labels: np.ndarray,
    tracks: Sequence[Track],
    given: Given | None,
    options: MatchingOptions,
    *,
    seed: int,
) -> ClusterMatching:
    classes = known_classes(tracks)
    modalities = np.array([int(track.modality) for track in tracks])
    if given is None or not (classes >= 0).any():
        return match_clusters(features, labels, modalities, options, seed=seed)
    form = given.form
    if form == "matches":
        right = right_matches(*(majorities(labels[m], classes[m]) for m in _masks(modalities)))
        return match_clusters(
            features, labels, modalities, options, seed=seed, assignment=torch.from_numpy(right)
        )
    masks = _masks(modalities)
    rows = [transfers.rows_at(features, mask) for mask in masks]
    sides = [_own_clusters(labels[mask], classes[mask]) for mask in masks]
    if form == "visible":
        costs = _cost(rows, sides, options, seed)
        partner = np.asarray(match(costs.t(), options.matcher))
        names = np.append(sides[0][1], UNMATCHED)  # where no partner, the last one
        sides[1] = _join(sides[1][0], names[partner])
    elif form == "tracks":
        sides = [_join_nearest(own, side, options, seed) for own, side in zip(rows, sides)]
    cost = _cost(rows, sides, options, seed)
    assignment = _assignment(cost, sides[0][1], sides[1][1], options.matcher)
    own = [torch.from_numpy(side[0]) for side in sides]
    unified = np.full(len(labels), -1, np.int64)
    own_labels = unified.copy()
    for mask, side, values in zip(
        masks, sides, unify_labels(own[0], own[1], torch.from_numpy(assignment))
    ):
        own_labels[mask] = side[0]
        unified[mask] = values.numpy()
    return ClusterMatching(own_labels, unified, assignment, cost)


def right_matches(visible: Majorities, infrared: Majorities) -> np.ndarray:
    """Each visible cluster's infrared one by identity, the largest; [V] int64, -1 = there is none.

    Args:
        visible: identities of the clusters 0 … V−1.
        infrared: identities of the clusters 0 … I−1.
    """
    largest: dict[int, int] = {}
    for row in np.argsort(infrared.sizes, kind="stable"):
        largest[int(infrared.values[row])] = int(infrared.clusters[row])
    return np.array([largest.get(int(name), UNMATCHED) for name in visible.values], np.int64)


def _masks(modalities: np.ndarray) -> list[np.ndarray]:
    return [modalities == modality for modality in Modality]


def _own_clusters(labels: np.ndarray, classes: np.ndarray) -> Side:
    """Labelled identities first, then what is left of the clusters."""
    free = np.where(classes < 0, labels, -1)
    both = np.where(classes >= 0, classes, np.where(free >= 0, classes.max() + 1 + free, -1))
    names, dense = np.unique(both[both >= 0], return_inverse=True)
    clusters = np.full(len(labels), -1, np.int64)
    clusters[both >= 0] = dense
    return clusters, np.where(names <= classes.max(), names, -1)


def _join(clusters: np.ndarray, names: np.ndarray) -> Side:
    """Clusters of one identity become one; those without stay as they are."""
    # Noise reads the last entry.
    named = np.append(names, -1)[clusters]
    return _own_clusters(clusters, named) if (named >= 0).any() else (clusters, names)


def _join_nearest(features: Tensor, side: Side, options: MatchingOptions, seed: int) -> Side:
    clusters, names = side
    free = names < 0
    if not free.any() or free.all():
        return side
    centres = subcluster_centres(features, clusters, options.memories, seed=seed)[0]
    chosen = (transfers.rows_at(centres, side) for side in (free, ~free))
    found = match(matching_cost(*chosen, variant=options.cost), "nearest")
    joined = names.copy()
    joined[free] = names[~free][transfers.to_host(found)]
    return _join(clusters, joined)


def _cost(rows: list[Tensor], sides: list[Side], options: MatchingOptions, seed: int) -> Tensor:
    return cost_of_clusters(rows, [clusters for clusters, _ in sides], options, seed)


def _assignment(
    cost: Tensor, visible: np.ndarray, infrared: np.ndarray, matcher: str
) -> np.ndarray:
    """Identities with themselves, clusters without one by the matcher, [V] int64."""
    assignment = np.full(len(visible), UNMATCHED, np.int64)
    place = {int(name): i for i, name in enumerate(infrared) if name >= 0}
    for row, name in enumerate(visible):
        assignment[row] = place.get(int(name), UNMATCHED)
    left = np.flatnonzero(visible < 0)
    right = np.flatnonzero(infrared < 0)
    if len(left) and len(right):
        found = np.asarray(match(cost[left][:, right], matcher))
        assignment[left] = np.where(found >= 0, right[found], UNMATCHED)
    return assignment
