"""Which part of a run limits it: its clusters, the match across modalities, or the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# A judgement, not a law. Below these, what follows learns from labels that are often wrong: a pair
# of clusters can be right only as often as the clusters are.
GOOD_CLUSTERS = 0.7  # adjusted Rand index over all tracks, noise included
MUCH_NOISE = 0.3
PURE = 0.8
GOOD_MATCH = 0.8
GOOD_RANKING = 0.8  # mean mAP
NEAR_LABELS = 0.05  # difference in mean mAP


@dataclass(frozen=True)
class ClusterFigures:
    """The last clustering of one modality against the identities; shares of 1."""

    modality: str
    ari_all: float
    noise: float
    purity: float
    clusters: int
    identities: int


@dataclass(frozen=True)
class Figures:
    """What the rule looks at; None or nothing where it is not known.

    Attributes:
        clusters: one entry for each modality.
        right: share of the visible clusters whose partner is right.
        joint: adjusted Rand index of the clusters over both modalities, where nothing was matched.
        mean_map: mAP, mean over the protocols.
        supervised: the same of the same network trained from labels.
    """

    clusters: tuple[ClusterFigures, ...] = ()
    right: float | None = None
    joint: float | None = None
    mean_map: float | None = None
    supervised: float | None = None


@dataclass(frozen=True)
class Finding:
    """The part, and a sentence that says why and what to try."""

    part: Literal["clusters", "matching", "encoder", "none"]
    sentence: str


def limiting_part(figures: Figures) -> Finding | None:
    """The first part, in the order in which a run depends on them, whose figure is low.

    None where the figures that decide are missing, for instance without identities.
    """
    score, labels = figures.mean_map, figures.supervised
    if not figures.clusters:
        return None
    # A reference far below the run was trained too shortly to bound anything.
    if score is not None and labels is not None and abs(labels - score) < NEAR_LABELS:
        return Finding(
            "encoder",
            f"The encoder limits this run: trained from labels it reaches a mean mAP of "
            f"{labels:.1%}, and without them {score:.1%}; {BETTER_ENCODER}.",
        )
    worst = min(figures.clusters, key=lambda found: found.ari_all)
    if worst.ari_all < GOOD_CLUSTERS:
        return Finding("clusters", _clusters(worst))
    if figures.right is not None and figures.right < GOOD_MATCH:
        return Finding(
            "matching",
            f"Matching is the weakest part of this run: {figures.right:.0%} of the visible "
            f"clusters have the right infrared partner, while the clusters themselves are good "
            f"(ARI {worst.ari_all:.2f}); try another --matcher, or more --cross-epochs in stage "
            "one. `vireid mmm --semi-supervised matches` shows what right partners would be worth.",
        )
    if figures.right is None and figures.joint is not None and figures.joint < GOOD_CLUSTERS:
        return Finding(
            "matching",
            f"The matching across the modalities limits this run: clusters over both reach an ARI "
            f"of {figures.joint:.2f}, those of each modality at least {worst.ari_all:.2f}; try "
            "`vireid mmm` on this run, or more --cross-epochs.",
        )
    if score is None or (figures.right is None and figures.joint is None):
        return None
    across = (
        f"{figures.right:.0%} of the matches are right"
        if figures.right is not None
        else f"an ARI of {figures.joint:.2f} over both modalities"
    )
    good = f"the clusters (ARI {worst.ari_all:.2f}) and the matching ({across}) are good"
    if score < GOOD_RANKING:
        return Finding(
            "encoder",
            f"The encoder limits this run: {good}, yet the mean mAP is {score:.1%}; "
            f"{BETTER_ENCODER}.",
        )
    return Finding("none", f"No part stands out: {good}, and so is the mean mAP of {score:.1%}.")


BETTER_ENCODER = "try a deeper --backbone, pre-trained --weights, larger frames or more training"


def _clusters(worst: ClusterFigures) -> str:
    if worst.noise > MUCH_NOISE:
        why = f"{worst.noise:.0%} of the {worst.modality} tracks are in none"
        advice = "a larger --eps, a smaller --min-samples"
    elif worst.purity < PURE:
        why = f"{worst.purity:.0%} of the {worst.modality} tracks show their cluster's person"
        advice = "a smaller --eps"
    else:
        why = f"{worst.identities} people are in {worst.clusters} {worst.modality} clusters"
        advice = "a larger --eps, --camera-mean"
    return (
        f"The clusters limit this run: {why} (ARI {worst.ari_all:.2f} over all tracks); try "
        f"{advice} or longer stage-one training."
    )
