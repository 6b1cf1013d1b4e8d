"""Which part limits a run: one figure low at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from vireid.reporting.limiting_part import ClusterFigures, Figures, limiting_part

GOOD = ClusterFigures("visible", ari_all=0.9, noise=0.1, purity=0.95, clusters=41, identities=40)
INFRARED = replace(GOOD, modality="infrared", ari_all=0.85)
FIGURES = Figures((GOOD, INFRARED), right=0.9, joint=0.8, mean_map=0.6)


def with_infrared(**changes):
    return replace(FIGURES, clusters=(GOOD, replace(INFRARED, **changes)))


@pytest.mark.parametrize(
    ("figures", "part", "words"),
    [
        (with_infrared(ari_all=0.5, noise=0.4), "clusters", "40% of the infrared tracks are in no"),
        (with_infrared(ari_all=0.5, purity=0.6), "clusters", "60% of the infrared tracks show"),
        (with_infrared(ari_all=0.5, clusters=90), "clusters", "40 people are in 90 infrared"),
        (replace(FIGURES, right=0.7), "matching", "70% of the visible clusters have the right"),
        (replace(FIGURES, right=None, joint=0.5), "matching", "reach an ARI of 0.50"),
        (FIGURES, "encoder", "90% of the matches are right) are good, yet the mean mAP is 60.0%"),
        (replace(FIGURES, right=None), "encoder", "an ARI of 0.80 over both modalities"),
        (replace(FIGURES, right=0.1, supervised=0.62), "encoder", "from labels it reaches a mean"),
        (replace(FIGURES, mean_map=0.9), "none", "No part stands out"),
    ],
)
def test_the_first_low_figure_decides(figures, part, words):
    found = limiting_part(figures)
    assert found.part == part
    assert words in found.sentence
    assert found.sentence.endswith(".")
    assert ("; try " in found.sentence) == (part != "none")


@pytest.mark.parametrize("supervised", [0.3, 0.9])
def test_labels_far_above_or_below_bound_nothing(supervised):
    found = limiting_part(replace(FIGURES, right=0.7, supervised=supervised))
    assert found.part == "matching"


@pytest.mark.parametrize(
    "figures",
    [
        Figures(),
        Figures(mean_map=0.4),
        Figures(mean_map=0.4, supervised=0.41),
        replace(FIGURES, clusters=()),
        replace(FIGURES, mean_map=None),
        replace(FIGURES, right=None, joint=None),
    ],
)
def test_nothing_is_said_where_figures_are_missing(figures):
    assert limiting_part(figures) is None
