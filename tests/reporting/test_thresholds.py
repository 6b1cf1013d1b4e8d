"""Thresholds at chosen false-match rates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.datasets.track import Modality, Track
from vireid.evaluation.metrics import ignores
from vireid.evaluation.protocols import Protocol
from vireid.reporting.ranked_lists import score_direction
from vireid.reporting.thresholds import false_match_thresholds, pair_similarities


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60), st.booleans())
def test_thresholds_are_the_lowest_that_keep_the_rate(seed, count, ties):
    rng = np.random.default_rng(seed)
    same, different = rng.normal(1, 1, 20), rng.normal(0, 1, count)
    if ties:
        same, different = same.round(), different.round()
    rates = (0.01, 0.1, 0.5, 1.0)
    found = {p.wanted: p for p in false_match_thresholds(same, different, rates)}
    for rate in rates:
        assert (rate in found) == (rate * count >= 1)
    for rate, point in found.items():
        assert (different > point.threshold).mean() == point.false_matches <= rate
        assert (same > point.threshold).mean() == pytest.approx(point.found)
        lower = different[different < point.threshold]
        if len(lower):  # the next lower threshold lets too many pass
            assert (different > lower.max()).mean() > rate


def track(modality, camera, identity):
    return Track((), modality, camera, identity, f"{modality.name}-{camera}-{identity}")


@pytest.mark.parametrize("rule", ["standard", "sysu", "all"])
def test_pairs_leave_out_what_the_camera_rule_does(rule):
    query = [track(Modality.INFRARED, c, i) for c in (2, 3) for i in range(4)]
    gallery = [track(Modality.VISIBLE, c, i) for c in (1, 2) for i in range(4)]
    rng = torch.Generator().manual_seed(1)
    features = torch.nn.functional.normalize(torch.randn(16, 6, generator=rng), dim=1)
    keys = [t.key for t in (*query, *gallery)]
    scored = score_direction(Protocol("x/i2v", query, gallery, rule), features, keys)
    wanted = {True: [], False: []}
    for a, one in enumerate(query):
        for b, two in enumerate(gallery):
            own = one.identity == two.identity
            if not ignores(rule, one.camera, two.camera, same_identity=own):
                wanted[own].append(float(features[a] @ features[8 + b]))
    for found, own in zip(pair_similarities(scored), (True, False)):
        np.testing.assert_allclose(np.sort(found), np.sort(wanted[own]), atol=1e-6)
