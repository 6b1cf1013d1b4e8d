"""Clusters and their matching under a person's judgements of pairs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .. import transfers
from ..clustering.constraints import Integers, PairConstraints, constrain, numbered
from ..datasets.track import Modality
from ..distributed import ranks
from .match_clusters import ClusterMatching, cost_of_clusters, match_clusters
from .matching import UNMATCHED, match, unify_labels
from .options import MatchingOptions

NOISE = -1


def match_judged(
    features: Tensor,
    labels: np.ndarray,
    modalities: np.ndarray,
    constraints: PairConstraints,
    options: MatchingOptions,
    *,
    seed: int = 0,
) -> ClusterMatching:
    """Clusters that keep to the judgements, and the matching of stage two among the rest.

    First :func:`constrain`. Then linked clusters of the two modalities are matched with each other,
    the other clusters by the options' cost and matcher, but never a visible and an infrared cluster
    of which a person said that they are different; with ``nearest`` a visible cluster may also join
    a pair that is linked. A track that was noise, and is linked with a cluster of the other
    modality, takes no part in the matching: it joins the cluster that its partner is matched with.

    Args:
        features: [N, D] unit features.
        labels: [N] int64, counted from 0 within each modality, -1 = noise.
        modalities: [N].
        constraints: of the N tracks.
        options: number of centres, cost and matcher.
        seed: of the K-means.

    Returns:
        Every constraint holds in ``labels`` and in ``unified``, noise being with nobody.
        Without constraints it is :func:`match_clusters`.
    """
    if not constraints:
        return match_clusters(features, labels, modalities, options, seed=seed)
    # By one process, so that no two can disagree.
    return ranks.from_main(
        lambda: _match_judged(features, labels, modalities, constraints, options, seed)
    )


def _match_judged(
    features: Tensor,
    labels: np.ndarray,
    modalities: np.ndarray,
    constraints: PairConstraints,
    options: MatchingOptions,
    seed: int,
) -> ClusterMatching:
    infrared = modalities == Modality.INFRARED
    apart = np.where(infrared & (labels >= 0), labels + labels.max(initial=-1) + 1, labels)
    sides = constrain(apart, constraints, features, modalities)
    held = _without_a_cluster(labels, sides, modalities)
    masks = [modalities == modality for modality in Modality]
    rows = [transfers.rows_at(features, mask) for mask in masks]
    free = np.where(held, NOISE, sides)
    own, names = zip(*(numbered(free[mask], labels[mask]) for mask in masks))
    cost = cost_of_clusters(rows, own, options, seed)
    assignment = _assignment(cost, names, _foes(sides, constraints), options.matcher)
    unified = np.full(len(labels), NOISE, np.int64)
    values = unify_labels(*map(torch.from_numpy, (*own, assignment)))
    for mask, found in zip(masks, values):
        unified[mask] = found.numpy()
    if not held.any():
        return ClusterMatching(_together(own, masks), unified, assignment, cost)
    for side in np.unique(sides[held]):
        unified[held & (sides == side)] = unified[~held & (sides == side)][0]
    return _with_held(rows, masks, sides, own, names, assignment, unified, options, seed)


def _without_a_cluster(labels: Integers, sides: Integers, modalities: Integers) -> np.ndarray:
    """[N] bool: noise of one modality that is linked with clusters of the other alone."""
    held = np.zeros(len(labels), bool)
    clustered = labels >= 0
    for modality in Modality:
        own = modalities == modality
        partners = np.unique(sides[~own & clustered])
        held |= own & np.isin(sides, np.setdiff1d(partners, sides[own & clustered]))
    return held & (sides >= 0)


def _foes(sides: Integers, constraints: PairConstraints) -> set[tuple[int, int]]:
    """Pairs of sides that must not be matched, in both orders."""
    judged = constraints.components >= 0
    side_of = np.empty(int(constraints.components.max()) + 1, np.int64)
    side_of[constraints.components[judged]] = sides[judged]
    pairs = {(int(a), int(b)) for a, b in side_of[constraints.apart]}
    return pairs | {(b, a) for a, b in pairs}


def _assignment(
    cost: Tensor,
    names: tuple[Integers, ...],
    foes: set[tuple[int, int]],
    matcher: str,
) -> Integers:
    """Linked clusters with each other, the others by the matcher, [V] int64."""
    visible, infrared = names
    place = {int(side): i for i, side in enumerate(infrared)}
    assignment = np.array([place.get(int(side), UNMATCHED) for side in visible], np.int64)
    left = np.flatnonzero(assignment == UNMATCHED)
    right = np.arange(len(infrared))
    if matcher != "nearest":
        right = np.setdiff1d(right, assignment)
    forbidden = np.array(
        [[(int(visible[i]), int(infrared[j])) in foes for j in right] for i in left], bool
    ).reshape(len(left), len(right))
    while True:
        assignment[left] = UNMATCHED
        found = match_allowed(cost[left][:, right], forbidden, matcher)
        kept = found != UNMATCHED
        assignment[left[kept]] = right[found[kept]]
        clash = _clash(cost, assignment, visible, left, foes)
        if clash is None:
            return assignment
        forbidden[np.flatnonzero(left == clash)[0], found[left == clash][0]] = True


def match_allowed(cost: Tensor, forbidden: np.ndarray, matcher: str) -> Integers:
    """A matching without the forbidden pairs.

    They cost what strangers cost, so that matchers see no figure out of the ordinary; a cluster
    that is given one all the same stays alone. An infinite cost would rather have it take the
    partner of another cluster than stay alone, and spoil two pairs.

    Args:
        cost: [V, I] float64 on the CPU.
        forbidden: [V, I] bool.
        matcher: see :func:`match`.

    Returns:
        [V] int64, -1 = unmatched.
    """
    if not forbidden.any():
        return np.asarray(match(cost, matcher))
    if forbidden.all():
        return np.full(len(cost), UNMATCHED, np.int64)
    allowed = np.ma.array(cost.numpy(), mask=forbidden)
    usual = float(np.ma.median(allowed))
    rows, columns = (
        np.ma.filled(np.ma.median(allowed, axis=side, keepdims=True), usual) for side in (1, 0)
    )
    # A hair more, so that an allowed pair of the same cost is taken before.
    strangers = np.nextafter(np.maximum(rows, columns), np.inf)
    priced = torch.from_numpy(np.where(forbidden, strangers, cost.numpy()))
    found = np.asarray(match(priced, matcher)).copy()
    chosen = np.flatnonzero(found != UNMATCHED)
    found[chosen[forbidden[chosen, found[chosen]]]] = UNMATCHED
    return found


def _clash(
    cost: Tensor,
    assignment: Integers,
    visible: Integers,
    free: Integers,
    foes: set[tuple[int, int]],
) -> int | None:
    """A free visible cluster that shares its partner with one that it must be apart from.

    Of two free ones the dearer; None where all is well.
    """
    for column in np.unique(assignment[assignment != UNMATCHED]):
        sharing = np.flatnonzero(assignment == column)
        movable = sorted(
            set(sharing.tolist()) & set(free.tolist()),
            key=lambda row: (-float(cost[row, column]), row),
        )
        for row in movable:
            if any((int(visible[row]), int(visible[other])) in foes for other in sharing):
                return int(row)
    return None


def _together(own: tuple[Integers, ...], masks: list[np.ndarray]) -> Integers:
    labels = np.full(len(masks[0]), NOISE, np.int64)
    for mask, clusters in zip(masks, own):
        labels[mask] = clusters
    return labels


def _with_held(
    rows: list[Tensor],
    masks: list[np.ndarray],
    sides: Integers,
    own: tuple[Integers, ...],
    names: tuple[Integers, ...],
    assignment: Integers,
    unified: Integers,
    options: MatchingOptions,
    seed: int,
) -> ClusterMatching:
    """The matching, once each held track is in the cluster that its label has in its modality."""
    clusters = [values.copy() for values in own]
    for mask, mine in zip(masks, clusters):
        labels = unified[mask]
        for label in np.unique(labels[(labels >= 0) & (mine < 0)]):
            same = labels == label
            known = mine[same & (mine >= 0)]
            mine[same & (mine < 0)] = known.min() if len(known) else mine.max(initial=-1) + 1
    visible, infrared = (unified[mask] for mask in masks)
    partner = {int(label): int(cluster) for label, cluster in zip(infrared, clusters[1])}
    final = np.full(int(clusters[0].max(initial=-1)) + 1, UNMATCHED, np.int64)
    for label, cluster in zip(visible, clusters[0]):
        if cluster >= 0:
            final[cluster] = partner.get(int(label), UNMATCHED)
    cost = cost_of_clusters(rows, clusters, options, seed)
    return ClusterMatching(_together(tuple(clusters), masks), unified, final, cost)
