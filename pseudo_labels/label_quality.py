"""How well pseudo-labels and their match across modalities agree with the true identities."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as scores

from .majority import majorities, majority_share

Integers = NDArray[np.int64]


class _Recorded:
    """Scores by name."""

    def record(self) -> dict[str, float | int]:
        """The fields as a dict for ``metrics.jsonl``, without those that are NaN."""
        return {name: value for name, value in vars(self).items() if not math.isnan(value)}


@dataclass(frozen=True)
class LabelQuality(_Recorded):
    """Agreement of a clustering with the identities.

    All scores but ``ari_all`` look at the samples that are not noise; with no such sample they are
    NaN. So they must be read beside ``noise``: a clustering that calls every doubtful sample noise
    scores well on the rest.

    Attributes:
        ari: adjusted Rand index, at most 1, about 0 by chance.
        nmi: normalised mutual information (arithmetic mean), 0 to 1.
        ami: adjusted mutual information, at most 1, about 0 by chance.
        v_measure: harmonic mean of homogeneity and completeness, 0 to 1.
        purity: share of samples that belong to the majority identity of their cluster.
        ari_all: adjusted Rand index over all samples, each noise sample as a cluster of its own.
        clusters: number of clusters.
        identities: number of identities among all samples.
        noise: share of noise, 0 to 1.
    """

    ari: float
    nmi: float
    ami: float
    v_measure: float
    purity: float
    ari_all: float
    clusters: int
    identities: int
    noise: float


@dataclass(frozen=True)
class MatchQuality(_Recorded):
    """Agreement of the match between visible and infrared clusters with the identities.

    A match is right where both clusters have the same majority identity. Many visible clusters may
    share one infrared cluster, so the visible clusters are counted, not the pairs.

    Attributes:
        accuracy: share of visible clusters whose match is right; unmatched ones count as wrong.
        precision: share of the matched visible clusters whose match is right.
        recall: share of right matches among the visible clusters that have a right partner at all.
        visible_clusters: number of visible clusters.
        infrared_clusters: number of infrared clusters.
        matched: number of visible clusters with a partner.
    """

    accuracy: float
    precision: float
    recall: float
    visible_clusters: int
    infrared_clusters: int
    matched: int


def label_quality(labels: ArrayLike, identities: ArrayLike) -> LabelQuality:
    """Scores a clustering against true identities; ``LabelQuality`` says how noise is treated.

    Args:
        labels: [N] integers, -1 = noise.
        identities: [N] integers.

    Raises:
        ValueError: lengths differ, or an argument does not hold integers.
    """
    found, truth = _pair(labels, identities, "labels", "identities")
    clustered = found >= 0
    inner, inner_truth = found[clustered], truth[clustered]
    own = found.copy()
    own[~clustered] = found.max(initial=-1) + 1 + np.arange((~clustered).sum())
    return LabelQuality(
        ari=_score(scores.adjusted_rand_score, inner_truth, inner),
        nmi=_score(scores.normalized_mutual_info_score, inner_truth, inner),
        ami=_score(scores.adjusted_mutual_info_score, inner_truth, inner),
        v_measure=_score(scores.v_measure_score, inner_truth, inner),
        purity=majority_share(found, truth),
        ari_all=_score(scores.adjusted_rand_score, truth, own),
        clusters=len(np.unique(inner)),
        identities=len(np.unique(truth)),
        noise=float((~clustered).mean()) if len(found) else math.nan,
    )


def match_quality(
    visible_labels: ArrayLike,
    visible_identities: ArrayLike,
    infrared_labels: ArrayLike,
    infrared_identities: ArrayLike,
    assignment: ArrayLike,
) -> MatchQuality:
    """Scores a match of visible clusters to infrared clusters.

    Of several equally frequent identities in a cluster the smallest is its majority.

    Args:
        visible_labels: [Nv] integers 0 … V-1, -1 = noise.
        visible_identities: [Nv] integers.
        infrared_labels: [Ni] integers 0 … I-1, -1 = noise.
        infrared_identities: [Ni] integers.
        assignment: [V] infrared cluster of each visible cluster, -1 = unmatched.

    Returns:
        The shares; NaN where there is nothing to count.

    Raises:
        ValueError: lengths differ, labels leave gaps, or the assignment names a missing cluster.
    """
    visible = _majorities(visible_labels, visible_identities, "visible")
    infrared = _majorities(infrared_labels, infrared_identities, "infrared")
    partner = _integers(assignment, "assignment")
    if len(partner) != len(visible):
        raise ValueError(
            f"`assignment` must have one entry for each of the {len(visible)} visible clusters; "
            f"got {len(partner)}"
        )
    if len(partner) and not -1 <= partner.min() <= partner.max() < len(infrared):
        raise ValueError(
            f"`assignment` must lie in -1 … {len(infrared) - 1}, as there are {len(infrared)} "
            f"infrared clusters; got {partner.min()} … {partner.max()}"
        )
    matched = partner >= 0
    right = int((visible[matched] == infrared[partner[matched]]).sum())
    return MatchQuality(
        accuracy=_share(right, len(visible)),
        precision=_share(right, int(matched.sum())),
        recall=_share(right, int(np.isin(visible, infrared).sum())),
        visible_clusters=len(visible),
        infrared_clusters=len(infrared),
        matched=int(matched.sum()),
    )


def _majorities(labels: ArrayLike, identities: ArrayLike, modality: str) -> Integers:
    """Most frequent identity of each cluster, [C]."""
    found, truth = _pair(labels, identities, f"{modality}_labels", f"{modality}_identities")
    found, truth = found[found >= 0], truth[found >= 0]
    clusters = np.unique(found)
    if len(clusters) and clusters[-1] != len(clusters) - 1:
        raise ValueError(
            f"`{modality}_labels` must use every label from 0 up; got {len(clusters)} clusters "
            f"with the highest label {clusters[-1]}"
        )
    return majorities(found, truth).values


def _score(function: Callable[..., float], truth: Integers, found: Integers) -> float:
    if not len(found):
        return math.nan
    with warnings.catch_warnings():
        # Many small clusters are the normal case here, not a regression target by mistake.
        warnings.filterwarnings("ignore", message="The number of unique classes")
        return float(function(truth, found))


def _pair(first: ArrayLike, second: ArrayLike, *names: str) -> tuple[Integers, Integers]:
    one, two = _integers(first, names[0]), _integers(second, names[1])
    if len(one) != len(two):
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must be of one length; got {len(one)} and {len(two)}"
        )
    return one, two


def _integers(values: ArrayLike, name: str) -> Integers:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(
            f"`{name}` must be a vector of integers; got shape {array.shape}, {array.dtype}"
        )
    return array.astype(np.int64)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
