"""Trials share one similarity and equal a ranking of each gallery by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.datasets.track import Modality, Track
from vireid.evaluation import trials as module
from vireid.evaluation.metrics import rank_metrics
from vireid.evaluation.protocols import Protocol, track_labels
from vireid.evaluation.reranking import rerank
from vireid.evaluation.trials import evaluate

RULES = ("standard", "sysu", "sysu-symmetric", "llcm", "all")


def protocol_of(generator, rule, queries, items, trials):
    def side(name, size, modality):
        identities = torch.randint(0, 6, (size,), generator=generator).tolist()
        cameras = torch.randint(1, 5, (size,), generator=generator).tolist()
        return [
            Track((Path(f"{name}{n}.jpg"),), modality, cameras[n], identities[n], f"{name}{n}")
            for n in range(size)
        ]

    picks = [
        torch.randperm(items, generator=generator)[: items // 2 + 1].tolist() for _ in range(trials)
    ]
    return Protocol(
        "sysu-mm01/all/single/i2v",
        side("q", queries, Modality.INFRARED),
        side("g", items, Modality.VISIBLE),
        rule,
        picks,
        "seeded",
    )


def plain_trials(protocol, query, gallery, *, reranked=False):
    """Each gallery for itself, from a similarity of its own."""
    (q_ids, q_cams), (g_ids, g_cams) = track_labels(protocol.query), track_labels(protocol.gallery)
    found = []
    for picks in protocol.trials or [list(range(len(protocol.gallery)))]:
        ranked = gallery[picks]
        similarity = rerank(query, ranked) if reranked else query @ ranked.T
        found.append(
            rank_metrics(
                similarity, q_ids, g_ids[picks], q_cams, g_cams[picks], protocol=protocol.rule
            )
        )
    return found


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rule=st.sampled_from(RULES),
    queries=st.integers(1, 9),
    items=st.integers(1, 30),
    trials=st.integers(0, 4),
    block=st.sampled_from([1, 40, 1 << 22]),
)
def test_trials_equal_rankings_of_their_own(seed, rule, queries, items, trials, block):
    generator = torch.Generator().manual_seed(seed)
    protocol = protocol_of(generator, rule, queries, items, trials)
    # Small whole numbers: every order of summation gives the same similarity, and there are ties.
    features = torch.randint(-3, 4, (queries + items, 4), generator=generator).float()
    tracks = [*protocol.query, *protocol.gallery]
    shuffled = torch.randperm(len(tracks), generator=generator)
    before, module.BLOCK_ENTRIES = module.BLOCK_ENTRIES, block
    try:
        (result,) = evaluate(features[shuffled], [tracks[i] for i in shuffled], [protocol])
    finally:
        module.BLOCK_ENTRIES = before
    wanted = plain_trials(protocol, features[:queries], features[queries:])
    found, mean = result.trials, result.mean
    assert len(found) == len(wanted) == max(1, trials)
    for one, other in zip(found, wanted):
        assert torch.equal(one.cmc.isnan(), other.cmc.isnan())
        assert torch.equal(one.cmc.nan_to_num(), other.cmc.nan_to_num())
        assert one.valid_queries == other.valid_queries
        assert one.mAP == pytest.approx(other.mAP, abs=1e-12, nan_ok=True)
        assert one.mINP == pytest.approx(other.mINP, abs=1e-12, nan_ok=True)
    average = sum(one.mAP for one in wanted) / len(wanted)
    assert mean.mAP == pytest.approx(average, abs=1e-12, nan_ok=True)
    rank5 = sum(float(one.cmc[4]) for one in wanted) / len(wanted)
    assert float(mean.cmc[4]) == pytest.approx(rank5, abs=1e-12, nan_ok=True)


def test_re_ranking_looks_at_the_gallery_of_its_trial_only():
    generator = torch.Generator().manual_seed(3)
    protocol = protocol_of(generator, "all", 12, 40, 3)
    features = torch.nn.functional.normalize(torch.randn(52, 8, generator=generator), dim=1)
    tracks = [*protocol.query, *protocol.gallery]
    found = evaluate(features, tracks, [protocol], rerank=True)[0].trials
    wanted = plain_trials(protocol, features[:12], features[12:], reranked=True)
    assert [one.mAP for one in found] == [one.mAP for one in wanted]
    plain = evaluate(features, tracks, [protocol])[0].trials
    assert [one.mAP for one in found] != [one.mAP for one in plain]
