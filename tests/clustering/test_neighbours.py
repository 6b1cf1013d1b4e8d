"""Every search finds the neighbours that a full sort finds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.clustering import (
    feature_check,
    ivf_search,
    matmul_search,
    neighbours,
    tiled_search,
)
from vireid.clustering.neighbours import nearest_neighbours


def plain_neighbours(unit, k):
    """Full sort in float64: the row itself, then falling similarity, equals by rising index."""
    similarity = unit.astype(np.float64) @ unit.astype(np.float64).T
    lists = []
    for i, row in enumerate(similarity):
        others = [j for j in range(len(row)) if j != i]
        lists.append([i, *sorted(others, key=lambda j: (-row[j], j))][:k])
    index = np.array(lists)
    return np.take_along_axis(similarity, index, 1), index


def exact_ties(count, seed, kinds=6):
    """Unit rows of four entries ±1/2: products are exact, so equal rows and cosines really tie."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((kinds, 8), np.float32)
    for row in rows:
        row[rng.choice(8, 4, replace=False)] = rng.choice([-0.5, 0.5], 4)
    return rows[rng.integers(0, kinds, count)]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Tiles so small that a test has many of them."""
    monkeypatch.setattr(tiled_search, "LEFT", 24)
    monkeypatch.setattr(tiled_search, "RIGHT", 7)


@pytest.fixture(params=["cpu", "any device"])
def search(request, monkeypatch):
    """The search with each of the exact ways, blocks of a few rows."""
    if request.param == "any device":
        monkeypatch.setattr(matmul_search, "BLOCK_SIMILARITIES", 700)
        monkeypatch.setattr(
            neighbours,
            "_search",
            lambda rows, missing, k, _: matmul_search.matmul_neighbours(rows, k, missing),
        )
    return nearest_neighbours


@pytest.mark.parametrize(("count", "k"), [(100, 7), (49, 49), (24, 30), (1, 5), (5, 1), (2, 2)])
def test_neighbours_equal_the_full_sort(search, count, k):
    features = torch.randn(count, 12, generator=torch.Generator().manual_seed(count))
    similarity, index = search(features, k)
    unit = torch.nn.functional.normalize(features, dim=1).numpy()
    wanted_similarity, wanted_index = plain_neighbours(unit, k)
    assert similarity.dtype == torch.float32 and index.dtype == torch.int64
    np.testing.assert_array_equal(index, wanted_index)
    np.testing.assert_allclose(similarity, wanted_similarity, atol=1e-6)


def means(count, width, seed, least=0.8):
    """Rows of lengths from ``least`` to 1, some of them exactly 1."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((count, width)) + rng.standard_normal(width)
    length = np.where(rng.random(count) < 0.2, 1, rng.uniform(least, 1, count))
    return (rows * (length / np.linalg.norm(rows, axis=1))[:, None]).astype(np.float32)


def nearness(rows):
    """1 - d²/2 of all pairs in float64; a row of zeros is a unit row orthogonal to all."""
    rows = rows.astype(np.float64)
    distance = ((rows[:, None] - rows[None]) ** 2).sum(2)
    zero = ~rows.any(1)
    squared = (rows**2).sum(1)
    distance[zero] = 1 + squared
    distance[:, zero] = 1 + squared[:, None]
    distance[np.ix_(zero, zero)] = 2
    return 1 - distance / 2


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 70),
    k=st.integers(1, 12),
    least=st.sampled_from([0.05, 0.8, 0.99]),
    zeros=st.integers(0, 2),
    tiled=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_rows_shorter_than_one_are_near_by_euclidean_distance(count, k, least, zeros, tiled, seed):
    rows = means(count, 7, seed, least)
    rows[:zeros] = 0
    if tiled or not zeros < count:
        similarity, index = nearest_neighbours(rows, k)
    else:
        tensor = torch.from_numpy(rows)
        own = nearest_neighbours(rows, 1)
        found = matmul_search.matmul_neighbours(
            tensor, min(k, count), feature_check.missing_length(tensor)
        )
        similarity, index = (torch.cat(part, 1) for part in zip(own, found, strict=True))
    wanted = nearness(rows)
    np.testing.assert_allclose(
        similarity, np.take_along_axis(wanted, index.numpy(), 1), rtol=0, atol=2e-6
    )
    others = np.where(np.eye(count, dtype=bool), np.inf, wanted)  # the row itself leads
    best = -np.sort(-others, axis=1)[:, 1 : similarity.shape[1]]
    np.testing.assert_allclose(similarity[:, 1:], best, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(index[:, 0], np.arange(count))


def test_a_row_longer_than_any_mean_makes_all_unit_rows(search):
    rows = means(40, 6, 0)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    as_unit, as_means = search(unit, 6), search(rows, 6)
    assert not torch.equal(as_means[1], as_unit[1])
    one_hot = rows.copy()
    one_hot[3] = np.eye(6)[2]
    as_unit_with_one_hot = search(np.where(np.arange(40)[:, None] == 3, one_hot, unit), 6)
    for factor in (20, 1e30):  # the square of the second overflows
        for wanted, one in ((as_unit, rows), (as_unit_with_one_hot, one_hot)):
            long = one.copy()
            long[3] *= factor
            found = search(long, 6)
            assert torch.equal(found[1], wanted[1])
            torch.testing.assert_close(found[0], wanted[0], rtol=0, atol=1e-6)


def test_half_precision_leaves_means_means(search):
    rows = torch.from_numpy(means(40, 6, 1))
    rows[5] *= 1.002 / rows[5].norm()
    wanted = rows.clone()
    wanted[5] /= wanted[5].norm()
    similarity, index = search(rows, 6)
    np.testing.assert_allclose(
        similarity, np.take_along_axis(nearness(wanted.numpy()), index.numpy(), 1), atol=2e-6
    )
    assert float(torch.linalg.vector_norm(rows.bfloat16().float(), dim=1).max()) < 1 + 2**-8


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 1000))
def test_ties_go_to_the_lower_index(count, k, seed):
    features = exact_ties(count, seed)
    _, index = nearest_neighbours(features, k)
    np.testing.assert_array_equal(index, plain_neighbours(features, k)[1])


def test_self_leads_its_list_among_more_duplicates_than_the_list_is_long(search):
    features = np.ones((40, 3), np.float32)
    similarity, index = search(features, 5)
    np.testing.assert_array_equal(index[:, 0], np.arange(40))
    assert all(len(set(row)) == 5 for row in index.tolist())
    np.testing.assert_allclose(similarity, 1, atol=1e-6)


def test_a_zero_row_is_orthogonal_to_all(search):
    features = torch.eye(4)
    features[2] = 0
    similarity, index = search(features, 4)
    assert similarity[2].tolist() == [0, 0, 0, 0]
    assert index[2].tolist() == [2, 0, 1, 3]


def test_form_of_the_input_does_not_matter():
    features = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    wanted = nearest_neighbours(features, 6)[1]
    frozen = features.numpy().copy()
    frozen.flags.writeable = False
    strided = torch.zeros(8, 60)
    strided[:, ::2] = features.T
    scaled = features * torch.rand(30, 1, generator=torch.Generator().manual_seed(1)).add(0.1)
    learned = features.clone().requires_grad_()
    for form in (frozen, strided[:, ::2].T, scaled, learned, features.double(), features * 1e30):
        assert torch.equal(nearest_neighbours(form, 6)[1], wanted)
    half = features.half()
    assert torch.equal(nearest_neighbours(half, 6)[1], nearest_neighbours(half.float(), 6)[1])


def test_the_number_of_threads_does_not_matter(threads):
    """Products of these rows are exact, so that no order of sums can hide or make a difference."""
    features = exact_ties(300, 0, kinds=100)
    threads(1)
    one = nearest_neighbours(features, 9)
    threads(3)
    three = nearest_neighbours(features, 9)
    assert torch.equal(one[0], three[0]) and torch.equal(one[1], three[1])


def test_threads_move_similarities_by_their_rounding_only(threads):
    features = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
    threads(1)
    one = nearest_neighbours(features, 9)[0]
    threads(3)
    three = nearest_neighbours(features, 9)[0]
    # Unit rows: each sum of 8 products is within 8·2⁻²⁴ of the true one.
    torch.testing.assert_close(one, three, rtol=0, atol=8 * 2**-23)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_value_that_is_no_number_is_named(value):
    features = torch.ones(9, 4)
    features[5, 2] = value
    with pytest.raises(ValueError, match=r"features: row 5 of 9"):
        nearest_neighbours(features, 3)


@pytest.mark.parametrize(
    ("features", "k", "message"),
    [
        (torch.ones(4, 2), 0, "k: expected"),
        (torch.ones(0, 2), 2, "at least one row"),
        (torch.ones(4), 2, "matrix"),
    ],
)
def test_bad_arguments_are_named(features, k, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(features, k)


def test_integers_are_no_features():
    with pytest.raises(TypeError, match="floating point"):
        nearest_neighbours(torch.ones(4, 2, dtype=torch.int64), 2)


def people(count, each, width, spread, seed):
    """Rows in groups."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(count, width, generator=generator).repeat_interleave(each, 0)
    return centre + spread * torch.randn(len(centre), width, generator=generator)


def test_inverted_lists_say_their_recall(caplog):
    features = people(40, 20, 16, 0.5, 1)
    similarity, index = nearest_neighbours(features, 10, approximate=True)
    _, wanted = nearest_neighbours(features, 10)
    hits = (index[:, 1:, None] == wanted[:, None, 1:]).any(2)
    said = float(caplog.text.split("recall ")[1].split()[0])
    assert said == pytest.approx(hits.double().mean().item(), abs=0.02)
    assert said > 0.9
    assert torch.equal(index[:, 0], torch.arange(len(features)))
    assert (similarity.diff(dim=1) <= 0).all()


def test_inverted_lists_find_the_nearest_of_means(caplog):
    features = torch.nn.functional.normalize(people(40, 20, 16, 0.5, 1), dim=1)
    length = torch.rand(len(features), 1, generator=torch.Generator().manual_seed(2))
    features *= 0.8 + 0.2 * length
    similarity, index = nearest_neighbours(features, 10, approximate=True)
    _, wanted = nearest_neighbours(features, 10)
    hits = (index[:, 1:, None] == wanted[:, None, 1:]).any(2).double().mean().item()
    assert hits > 0.9
    assert float(caplog.text.split("recall ")[1].split()[0]) == pytest.approx(hits, abs=0.02)
    true = np.take_along_axis(nearness(features.numpy()), index.numpy(), 1)
    np.testing.assert_allclose(similarity, true, rtol=0, atol=2e-6)


def test_lists_that_inverted_lists_leave_short_are_filled(monkeypatch, caplog):
    monkeypatch.setattr(ivf_search, "PROBED", 1)
    monkeypatch.setattr(ivf_search, "ROWS_PER_LIST", 10)
    features = people(20, 10, 16, 0.1, 2)
    _, index = nearest_neighbours(features, 40, approximate=True)
    assert (index >= 0).all()
    assert all(len(set(row)) == 40 for row in index.tolist())
    assert "recall" in caplog.text


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_finds_the_same_neighbours():
    features = exact_ties(500, 0, kinds=500)
    similarity, index = nearest_neighbours(features, 20)
    there = nearest_neighbours(torch.from_numpy(features).cuda(), 20)
    assert there[1].is_cuda
    assert torch.equal(there[0].cpu(), similarity), "products are exact"
    unlike = similarity[:, -1:] < similarity  # which equals end a list is left open
    assert torch.equal(there[1].cpu()[unlike], index[unlike])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_finds_the_nearest_of_means():
    features = means(500, 16, 0)
    similarity, index = nearest_neighbours(torch.from_numpy(features).cuda(), 20)
    torch.testing.assert_close(
        similarity.cpu(), nearest_neighbours(features, 20)[0], rtol=0, atol=4e-6
    )
    true = np.take_along_axis(nearness(features), index.cpu().numpy(), 1)
    np.testing.assert_allclose(similarity.cpu(), true, rtol=0, atol=4e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_approximate_search_refuses_features_on_a_gpu():
    with pytest.raises(ValueError, match="runs on the CPU"):
        nearest_neighbours(torch.eye(5).cuda(), 3, approximate=True)
