"""Re-ranking from sparse sets equals the published dense form, and finds what it should."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.evaluation import InnerProducts, metrics, rank_metrics, rerank
from vireid.evaluation.results import result_line, summary_table


def plain_rerank(query, gallery, k1, k2, weight):
    """Section 3 of the paper with dense rows and sets, in float64."""
    rows = np.concatenate([query, gallery]).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    original = 2 - 2 * rows @ rows.T
    np.fill_diagonal(original, 0)
    original = (original / original.max(0)).T
    count = len(rows)
    order = original.copy()
    np.fill_diagonal(order, -1)  # a row leads its own list
    ranks = np.argsort(order, axis=1, kind="stable")

    def reciprocal(i, length):
        return [j for j in ranks[i, : length + 1] if i in ranks[j, : length + 1]]

    weights = np.zeros((count, count))
    for i in range(count):
        near = reciprocal(i, k1)
        joined = set(near)
        for j in near:
            candidate = reciprocal(j, int(np.around(k1 / 2)))
            if len(set(candidate) & set(near)) > 2 / 3 * len(candidate):
                joined |= set(candidate)
        members = sorted(joined)
        mass = np.exp(-original[i, members])
        weights[i, members] = mass / mass.sum()
    if k2 > 1:
        weights = np.stack([weights[ranks[i, :k2]].mean(0) for i in range(count)])
    shared = np.minimum(weights[: len(query), None], weights[None, len(query) :]).sum(2)
    jaccard = 1 - shared / (2 - shared)
    return (1 - weight) * jaccard + weight * original[: len(query), len(query) :]


def people(count, each, width, spread, seed):
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(count), each)
    rows = rng.standard_normal((count, width))[identity]
    rows = rows + spread * rng.standard_normal(rows.shape)
    order = rng.permutation(len(rows))
    return torch.from_numpy(rows[order]).float(), torch.from_numpy(identity[order])


@settings(max_examples=25, deadline=None)
@given(
    queries=st.integers(1, 12),
    k1=st.integers(1, 30),
    k2=st.integers(1, 8),
    weight=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_distances_equal_the_published_form(queries, k1, k2, weight, seed):
    features, _ = people(6, 6, 8, 0.6, seed)
    query, gallery = features[:queries], features[queries:]
    found = rerank(query, gallery, k1, k2, weight)
    assert found.shape == (queries, 36 - queries)
    wanted = plain_rerank(query.numpy(), gallery.numpy(), k1, k2, weight)
    np.testing.assert_allclose(-found.rows(slice(None)), wanted, rtol=0, atol=5e-6)


def test_rows_come_in_any_choice():
    # Unit rows of four entries ±1/2: their products are exact in any order of sums, so that the
    # shape of a product, which the choice of rows sets, cannot show.
    rng = np.random.default_rng(0)
    signs = rng.permuted(np.repeat([[0.5, -0.5, 0.5, -0.5, 0, 0, 0, 0]], 40, axis=0), axis=1)
    features = torch.from_numpy(signs).float()
    found = rerank(features[:15], features[15:], 7, 3)
    whole = found.rows(slice(None))
    chosen = torch.tensor([3, 14, 3])
    assert torch.equal(found.rows(chosen), whole[chosen])
    assert torch.equal(found.rows(slice(4, 9)), whole[4:9])


def test_duplicates_stay_finite():
    found = rerank(torch.ones(3, 4), torch.ones(5, 4), 20, 6).rows(slice(None))
    torch.testing.assert_close(found, torch.zeros(3, 5), atol=1e-6, rtol=0)


def test_metrics_rank_by_the_new_distance_and_gain_from_it(monkeypatch):
    features, identity = people(20, 10, 16, 1.1, 3)
    query, gallery, query_ids, gallery_ids = (
        part for value in (features, identity) for part in (value[:40], value[40:])
    )
    monkeypatch.setattr(metrics, "BLOCK_ENTRIES", 1000)
    labels = (query_ids, gallery_ids)
    plain = rank_metrics(InnerProducts(query, gallery), *labels, protocol="all")
    better = rank_metrics(rerank(query, gallery), *labels, protocol="all")
    wanted = rank_metrics(rerank(query, gallery).rows(slice(None)), *labels, protocol="all")
    assert (better.mAP, better.mINP) == (wanted.mAP, wanted.mINP)
    assert better.mAP > plain.mAP + 0.02


@pytest.mark.parametrize("reranked", [True, False])
def test_the_result_line_says_so(reranked):
    record = {"protocol": "p/v2i", "rule": "all", "query": 1, "gallery": 2, "valid_queries": 1}
    record |= {"stage": "mmm", "rerank": reranked, "mAP": 0.5}
    assert ("re-ranked" in result_line(record)) == reranked
    assert ("re-ranked" in summary_table([record])) == reranked


@pytest.mark.parametrize(
    ("query", "k1", "k2", "weight", "message"),
    [
        (torch.ones(2, 4), 0, 1, 0.3, "k1"),
        (torch.ones(2, 4), 1, 0, 0.3, "k2"),
        (torch.ones(2, 4), 1, 1, 1.5, "weight"),
        (torch.ones(2, 3), 1, 1, 0.3, "one width"),
        (torch.full((2, 4), torch.nan), 1, 1, 0.3, "query: row 0"),
        (torch.ones(0, 4), 1, 1, 0.3, "query: expected at least one row"),
    ],
)
def test_bad_arguments_are_named(query, k1, k2, weight, message):
    with pytest.raises(ValueError, match=message):
        rerank(query, torch.eye(4), k1, k2, weight)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same_distances():
    features, _ = people(20, 10, 32, 0.8, 4)
    here = rerank(features[:40], features[40:]).rows(slice(None))
    there = rerank(features[:40].cuda(), features[40:].cuda()).rows(slice(None))
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), here, atol=5e-6, rtol=0)
