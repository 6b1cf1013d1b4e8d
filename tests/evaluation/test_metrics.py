"""Ranking metrics against published values and against a plain query-by-query version."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.evaluation import InnerProducts, metrics
from vireid.evaluation.metrics import per_query_metrics, rank_metrics

CASES = Path(__file__).parents[1] / "conformance"


def load(name):
    with np.load(CASES / name, allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(value)) for key, value in file.items()}


def plain_query(similarity, identity, camera, ids, cameras, protocol):
    """One query, item by item: (ap, inp, first rank, ranked), or None without a match."""
    order = sorted(range(len(ids)), key=lambda item: (-similarity[item], item))
    kept = []
    for item in order:
        ignored = {
            "standard": ids[item] == identity and cameras[item] == camera,
            "llcm": ids[item] == identity and cameras[item] == camera,
            "sysu": camera == 3 and cameras[item] == 2,
            "sysu-symmetric": {camera, cameras[item]} == {2, 3},
            "all": False,
        }[protocol]
        if not ignored:
            kept.append(ids[item])
    ranks = [rank for rank, other in enumerate(kept, start=1) if other == identity]
    if not ranks:
        return None
    precisions = [found / rank for found, rank in enumerate(ranks, start=1)]
    distinct = protocol.startswith("sysu") or protocol == "llcm"
    curve = list(dict.fromkeys(kept)) if distinct else kept
    first = curve.index(identity) + 1
    return sum(precisions) / len(precisions), len(ranks) / ranks[-1], first, len(curve)


def plain_metrics(similarity, q_ids, g_ids, q_cams, g_cams, protocol, max_rank):
    results = [
        plain_query(row, identity, camera, g_ids, g_cams, protocol)
        for row, identity, camera in zip(similarity, q_ids, q_cams)
    ]
    counted = [result for result in results if result is not None]
    if not counted:
        return [math.nan] * max_rank, math.nan, math.nan, 0, results
    cmc = [
        sum(first <= rank for _, _, first, _ in counted) / len(counted)
        for rank in range(1, max_rank + 1)
    ]
    means = (sum(result[i] for result in counted) / len(counted) for i in (0, 1))
    return cmc, *means, len(counted), results


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("metrics_video_general.npz", "standard"),
        ("metrics_video_general_transposed.npz", "standard"),
        ("metrics_video_small_gallery.npz", "standard"),
        ("metrics_video_ragged.npz", "standard"),
        ("metrics_sysu_all_1shot.npz", "sysu"),
        ("metrics_sysu_all_10shot.npz", "sysu"),
        ("metrics_sysu_indoor_1shot.npz", "sysu"),
        ("metrics_sysu_indoor_10shot.npz", "sysu"),
        ("metrics_sysu_few_ids.npz", "sysu"),
        ("metrics_sysu_ragged.npz", "sysu"),
        ("metrics_sysu_reverse.npz", "sysu"),
        ("metrics_regdb_v2t.npz", "all"),
        ("metrics_regdb_t2v.npz", "all"),
        ("metrics_regdb_small.npz", "all"),
    ],
)
def test_published_values(name, protocol):
    case = load(name)
    inputs = (-case["dist"], case["q_ids"], case["g_ids"], case.get("q_cams"), case.get("g_cams"))
    found = rank_metrics(*inputs, protocol=protocol)
    np.testing.assert_allclose(found.cmc, case["expected_cmc20"], rtol=0, atol=1e-6)
    assert abs(found.mAP - float(case["expected_mAP"])) <= 1e-6
    assert abs(found.mINP - float(case["expected_mINP"])) <= 1e-6
    assert found.valid_queries == int(case["n_valid"])
    each = per_query_metrics(*inputs, protocol=protocol)
    valid = case["query_valid"].bool()
    assert torch.equal(each.valid, valid)
    np.testing.assert_allclose(each.ap[valid], case["query_ap"][valid], rtol=0, atol=1e-6)
    np.testing.assert_allclose(each.inp[valid], case["query_inp"][valid], rtol=0, atol=1e-6)
    ranked = case.get("query_kept_gallery", case.get("query_unique_ids"))
    if ranked is not None:
        assert torch.equal(each.ranked, ranked)


def test_symmetric_camera_rule_of_sysu():
    case = load("metrics_sysu_reverse.npz")
    found = rank_metrics(
        -case["dist"],
        case["q_ids"],
        case["g_ids"],
        case["q_cams"],
        case["g_cams"],
        protocol="sysu-symmetric",
    )
    np.testing.assert_allclose(found.cmc, case["official_cmc20"], rtol=0, atol=1e-6)
    assert abs(found.mAP - float(case["official_mAP"])) <= 1e-6
    assert abs(found.mINP - float(case["official_mINP"])) <= 1e-6


def test_no_valid_query_is_counted_and_nan():
    case = load("metrics_video_no_valid_query.npz")
    found = rank_metrics(
        -case["dist"], case["q_ids"], case["g_ids"], case["q_cams"], case["g_cams"]
    )
    assert found.valid_queries == int(case["n_valid"]) == 0
    assert found.cmc.shape == (20,) and bool(found.cmc.isnan().all())
    assert math.isnan(found.mAP) and math.isnan(found.mINP)


@pytest.mark.parametrize(
    ("key", "query_modality", "gallery_modality", "protocol"),
    [
        ("i2v", 1, 2, "standard"),
        ("v2i", 2, 1, "standard"),
        ("official_v2v", 2, 2, "all"),
        ("official_v2i", 2, 1, "all"),
        ("official_i2v", 1, 2, "all"),
        ("official_i2i", 1, 1, "all"),
        ("official_all", None, None, "all"),
    ],
)
def test_bupt_campus_directions_from_features(key, query_modality, gallery_modality, protocol):
    case = load("metrics_video_bupt.npz")
    mine = case["q_mods"] == query_modality if query_modality else case["q_mods"] > 0
    theirs = case["g_mods"] == gallery_modality if gallery_modality else case["g_mods"] > 0
    labels = (
        case["q_ids"][mine],
        case["g_ids"][theirs],
        case["q_cams"][mine],
        case["g_cams"][theirs],
    )
    query, gallery = case["q_feat"][mine], case["g_feat"][theirs]
    streamed = rank_metrics(InnerProducts(query, gallery), *labels, protocol=protocol)
    whole = rank_metrics(query @ gallery.T, *labels, protocol=protocol)
    for found in (streamed, whole):
        np.testing.assert_allclose(found.cmc, case[f"{key}_cmc"], rtol=0, atol=1e-6)
        assert abs(found.mAP - float(case[f"{key}_mAP"])) <= 2e-6
        if f"{key}_mINP" in case:
            assert abs(found.mINP - float(case[f"{key}_mINP"])) <= 2e-6
    if f"{key}_query_ap" in case:
        each = per_query_metrics(query @ gallery.T, *labels, protocol=protocol)
        valid = case[f"{key}_query_valid"].bool()
        assert torch.equal(each.valid, valid)
        expected = case[f"{key}_query_ap"][valid]
        np.testing.assert_allclose(each.ap[valid], expected, rtol=0, atol=2e-6)


@st.composite
def rankings(draw):
    """Few distinct values, identities and cameras: ties, short galleries, queries without match."""
    queries, items = draw(st.integers(0, 7)), draw(st.integers(0, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    identities, cameras = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    similarity = rng.integers(0, levels, (queries, items)) / levels - 0.5
    similarity[rng.random((queries, items)) < 0.1] = draw(st.sampled_from([-0.0, -np.inf, 0.25]))
    sides = [rng.integers(-1, identities, n) for n in (queries, items)]
    sides += [rng.integers(1, cameras + 1, n) for n in (queries, items)]
    return similarity, *sides


@settings(max_examples=120, deadline=None)
@given(
    case=rankings(),
    protocol=st.sampled_from(["standard", "sysu", "sysu-symmetric", "llcm", "all"]),
    block=st.sampled_from([1, 30, 1 << 22]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16]),
    max_rank=st.sampled_from([1, 5, 20]),
)
def test_agrees_with_the_plain_version(case, protocol, block, dtype, max_rank):
    similarity, q_ids, g_ids, q_cams, g_cams = case
    matrix = torch.from_numpy(similarity).to(dtype)
    matrix = matrix.T.contiguous().T  # columns first: not contiguous
    plain = plain_metrics(matrix.double().numpy(), q_ids, g_ids, q_cams, g_cams, protocol, max_rank)
    labels = [torch.from_numpy(values) for values in (q_ids, g_ids, q_cams, g_cams)]
    before = metrics.BLOCK_ENTRIES
    metrics.BLOCK_ENTRIES = block
    try:
        found = rank_metrics(matrix, *labels, protocol=protocol, max_rank=max_rank)
        each = per_query_metrics(matrix, *labels, protocol=protocol)
    finally:
        metrics.BLOCK_ENTRIES = before
    cmc, mean_ap, mean_inp, valid, results = plain
    assert found.valid_queries == valid
    np.testing.assert_allclose(found.cmc, cmc, rtol=0, atol=1e-12)
    np.testing.assert_allclose([found.mAP, found.mINP], [mean_ap, mean_inp], rtol=0, atol=1e-10)
    for row, result in enumerate(results):
        assert bool(each.valid[row]) == (result is not None)
        if result is None:
            assert math.isnan(each.ap[row]) and each.first_rank[row] == 0
        else:
            assert abs(float(each.ap[row]) - result[0]) < 1e-10
            assert abs(float(each.inp[row]) - result[1]) < 1e-10
            assert (int(each.first_rank[row]), int(each.ranked[row])) == result[2:]


def test_ties_are_ranked_in_gallery_order():
    similarity = torch.zeros(1, 4)
    query, cameras = torch.tensor([7]), torch.zeros(4, dtype=torch.int64)
    first = rank_metrics(similarity, query, torch.tensor([7, 1, 2, 3]), protocol="all")
    last = rank_metrics(
        similarity, query, torch.tensor([1, 2, 3, 7]), query - 6, cameras, max_rank=4
    )
    assert first.mAP == 1.0
    assert last.mAP == 0.25 and last.cmc.tolist() == [0, 0, 0, 1]


def test_blocks_do_not_change_a_bit(monkeypatch):
    rng = torch.Generator().manual_seed(3)
    similarity = torch.rand(37, 90, generator=rng)
    labels = [torch.randint(0, 6, (n,), generator=rng) for n in (37, 90, 37, 90)]
    whole = rank_metrics(similarity, *labels)
    monkeypatch.setattr(metrics, "BLOCK_ENTRIES", 400)
    parts = rank_metrics(similarity, *labels)
    assert torch.equal(whole.cmc, parts.cmc)
    assert (whole.mAP, whole.mINP) == (parts.mAP, parts.mINP)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("protocol", ["standard", "sysu", "sysu-symmetric", "llcm", "all"])
def test_cuda_gives_the_same_bits(protocol):
    rng = torch.Generator().manual_seed(4)
    similarity = torch.randint(-9, 9, (300, 700), generator=rng).float()
    labels = [torch.randint(1, 30, (n,), generator=rng) for n in (300, 700)]
    labels += [torch.randint(1, 5, (n,), generator=rng) for n in (300, 700)]
    here = rank_metrics(similarity, *labels, protocol=protocol)
    there = rank_metrics(similarity.cuda(), *(x.cuda() for x in labels), protocol=protocol)
    assert torch.equal(here.cmc, there.cmc.cpu())
    assert (here.mAP, here.mINP) == (there.mAP, there.mINP)


def test_bad_input_is_named():
    similarity, ids = torch.rand(3, 5), torch.arange(5)
    with pytest.raises(ValueError, match="needs `query_cameras`"):
        rank_metrics(similarity, ids[:3], ids)
    with pytest.raises(ValueError, match="needs `gallery_cameras`"):
        rank_metrics(similarity, ids[:3], ids, ids[:3], protocol="sysu")
    with pytest.raises(ValueError, match="one of standard, sysu"):
        rank_metrics(similarity, ids[:3], ids, protocol="market")
    with pytest.raises(ValueError, match="`gallery_ids` must hold 5 integers"):
        rank_metrics(similarity, ids[:3], ids[:4], protocol="all")
    with pytest.raises(ValueError, match="`similarity` must be a floating matrix"):
        rank_metrics(similarity[0], ids[:3], ids, protocol="all")
    with pytest.raises(ValueError, match="`max_rank`"):
        rank_metrics(similarity, ids[:3], ids, protocol="all", max_rank=0)
    broken = similarity.clone()
    broken[1, 2] = torch.nan
    with pytest.raises(ValueError, match="`similarity` holds NaN in 1 of 3 rows"):
        rank_metrics(broken, ids[:3], ids, protocol="all")
    with pytest.raises(ValueError, match="`gallery` holds NaN in 1 of 3 rows"):
        InnerProducts(similarity, broken)
    with pytest.raises(ValueError, match="same feature length"):
        InnerProducts(similarity, ids[None].float().T)
