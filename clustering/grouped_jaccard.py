"""k-reciprocal Jaccard distance whose neighbours are balanced over cameras or modalities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import Tensor

from .. import transfers
from .feature_check import bounded_rows, missing_length
from .grouped_neighbours import NONE, GroupedNeighbours, group_codes, grouped_neighbours

Pair = tuple[int, int]  # neighbours of the own group, the row itself counted, and of all others


def camera_aware_jaccard(
    features: Tensor | ArrayLike,
    cameras: Tensor | ArrayLike,
    *,
    k1: Pair = (6, 21),
    k2: Pair = (2, 4),
) -> sparse.csr_array:
    """Computes the camera-aware Jaccard distance (CA-Jaccard) between all rows.

    A row's set holds its k-reciprocal neighbours of the same camera, from lists of the same
    camera, and those of other cameras, from lists of other cameras. It is not expanded by the sets
    of its members. Its weights are averaged over a few neighbours of each kind. So sightings of
    one camera, alike by background and light, cannot fill the sets. With one camera there is no
    other list, and only the first number of each pair counts. Source: after Chen et al.,
    "CA-Jaccard: camera-aware Jaccard distance for person re-identification", CVPR 2024 (its CKRNNs
    and CLQE), counted as its released code counts: k1 of 5 and 20 are there the row itself and 5,
    and 21.

    Args:
        features: ``[N, D]``, see ``jaccard_distance``.
        cameras: ``[N]`` integer codes.
        k1: neighbours that make a reciprocal set: of the same camera (at least 1, the row itself
            counts), and of other cameras (at least 0).
        k2: neighbours whose weights are averaged, counted alike; (1, 0): not at all.

    Returns:
        As ``jaccard_distance``.

    Raises:
        ValueError: bad features (see ``bounded_rows``), a number below its least, cameras of
            another length.
    """
    return _distance(features, cameras, k1, (0, 0), k2)


def modality_balanced_jaccard(
    features: Tensor | ArrayLike,
    modality: Tensor | ArrayLike,
    k1: int = 30,
    k2: int = 6,
) -> sparse.csr_array:
    """Computes a Jaccard distance from neighbours of which half lie in the other modality.

    Every list of ``jaccard_distance`` of length k becomes the k/2 nearest of the row's own modality
    (the row itself counts; the odd one belongs here) and the k/2 nearest of the other: N*(x, k) =
    N_intra(x, k/2) ∪ N_inter(x, k/2). That holds for the lists that make the sets, those that
    expand them, and those whose weights are averaged. Source: after Wang et al., "Modality-aware
    bias mitigation and invariance learning for unsupervised visible-infrared person
    re-identification" (BMIL), AAAI 2026, its modality-aware Jaccard distance; that the expanding
    lists are split as well is our reading.

    Args:
        features: ``[N, D]``, see ``jaccard_distance``.
        modality: ``[N]`` integer codes.
        k1: neighbours that make a reciprocal set, at least 1.
        k2: neighbours whose weights are averaged, at least 1; 1: not at all.

    Returns:
        As ``jaccard_distance``.

    Raises:
        ValueError: see ``jaccard_distance``.
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"expected k1 and k2 of at least 1, found k1 = {k1}, k2 = {k2}")
    half = min(k1, round(k1 / 2) + 1)
    return _distance(features, modality, _halved(k1), _halved(half), _halved(min(k1, k2)))


def _halved(k: int) -> Pair:
    return (k + 1) // 2, k // 2


def _distance(
    features: Tensor | ArrayLike,
    groups: Tensor | ArrayLike,
    near: Pair,
    half: Pair,
    averaged: Pair,
) -> sparse.csr_array:
    """Distance from lists of own and other groups; ``half`` of (0, 0) expands no set."""
    # Imported when used: compiled loops are slow to load.
    from .jaccard_graph import graph_of_weights
    from .reciprocal import weights_of_lists

    for name, (own, other) in (("k1", near), ("k2", averaged)):
        if own < 1 or other < 0:
            raise ValueError(
                f"{name}: expected at least 1 (the row itself) and 0, found {own} and {other}"
            )
    rows = bounded_rows(features)
    longest = [max(lengths) for lengths in zip(near, averaged)]
    found = grouped_neighbours(rows, group_codes(groups, len(rows)), *longest)
    parts = found.own_similarity[:, : near[0]], found.other_similarity[:, : near[1]]
    similarity = np.concatenate([transfers.to_host(part) for part in parts], 1)
    ranks = _listed(found, near)
    missing = missing_length(rows)
    if missing is not None:  # neighbours go by distance, weights by inner product
        lacking = transfers.to_host(missing)
        similarity -= lacking[:, None] + np.where(ranks == NONE, 0, lacking[ranks])
    return graph_of_weights(
        *weights_of_lists(rows, ranks, similarity, _listed(found, half), _listed(found, averaged))
    )


def _listed(found: GroupedNeighbours, lengths: Pair) -> NDArray[np.int32]:
    """The first rows of both lists side by side."""
    own, other = lengths
    parts = [transfers.to_host(part) for part in (found.own[:, :own], found.other[:, :other])]
    return np.ascontiguousarray(np.concatenate(parts, 1), np.int32)
