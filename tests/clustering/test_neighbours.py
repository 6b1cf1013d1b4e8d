"""Every back end finds the neighbours that a full sort finds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.clustering import bf16_search, faiss_search, neighbours, tiled_search
from vireid.clustering.bf16_search import search_rows
from vireid.clustering.neighbours import nearest_neighbours

BACKENDS = ("tiled", "bf16", "torch", "faiss")


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
    monkeypatch.setattr(tiled_search, "TILE", 24)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("count", "k"), [(100, 7), (49, 49), (24, 30), (1, 5), (5, 1), (2, 2)])
def test_neighbours_equal_the_full_sort(backend, count, k):
    features = torch.randn(count, 12, generator=torch.Generator().manual_seed(count))
    similarity, index = nearest_neighbours(features, k, backend=backend)
    unit = torch.nn.functional.normalize(features, dim=1).numpy()
    wanted_similarity, wanted_index = plain_neighbours(unit, k)
    assert similarity.dtype == torch.float32 and index.dtype == torch.int64
    np.testing.assert_array_equal(index, wanted_index)
    np.testing.assert_allclose(similarity, wanted_similarity, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 1000))
def test_ties_go_to_the_lower_index(count, k, seed):
    features = exact_ties(count, seed)
    _, index = nearest_neighbours(features, k, backend="tiled")
    np.testing.assert_array_equal(index, plain_neighbours(features, k)[1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_self_leads_its_list_among_more_duplicates_than_the_list_is_long(backend):
    features = np.ones((40, 3), np.float32)
    similarity, index = nearest_neighbours(features, 5, backend=backend)
    np.testing.assert_array_equal(index[:, 0], np.arange(40))
    assert all(len(set(row)) == 5 for row in index.tolist())
    np.testing.assert_allclose(similarity, 1, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_zero_row_is_orthogonal_to_all(backend):
    features = torch.eye(4)
    features[2] = 0
    similarity, index = nearest_neighbours(features, 4, backend=backend)
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


def test_the_number_of_threads_does_not_matter():
    features = torch.randn(100, 8, generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = nearest_neighbours(features, 9)
        torch.set_num_threads(3)
        three = nearest_neighbours(features, 9)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one[0], three[0]) and torch.equal(one[1], three[1])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_value_that_is_no_number_is_named(value):
    features = torch.ones(9, 4)
    features[5, 2] = value
    with pytest.raises(ValueError, match=r"features: row 5 of 9"):
        nearest_neighbours(features, 3)


@pytest.mark.parametrize(
    ("features", "k", "backend", "message"),
    [
        (torch.ones(4, 2), 0, "auto", "k: expected"),
        (torch.ones(4, 2), 2, "annoy", "backend: expected"),
        (torch.ones(0, 2), 2, "auto", "at least one row"),
        (torch.ones(4), 2, "auto", "matrix"),
    ],
)
def test_bad_arguments_are_named(features, k, backend, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(features, k, backend=backend)


def test_integers_are_no_features():
    with pytest.raises(TypeError, match="floating point"):
        nearest_neighbours(torch.ones(4, 2, dtype=torch.int64), 2)


def people(count, each, width, spread, seed):
    """Rows in tight groups, where bf16 cannot tell the members apart."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(count, width, generator=generator).repeat_interleave(each, 0)
    return centre + spread * torch.randn(len(centre), width, generator=generator)


@pytest.mark.parametrize("spread", [0.005, 0.1, 1.0])
@pytest.mark.parametrize("spare", [16, -13])
def test_bf16_finds_the_neighbours_of_float32(spread, spare, monkeypatch):
    """Few candidates (spare −13: as many as wanted) and tight groups: proofs fail, lists do not."""
    monkeypatch.setattr(bf16_search, "SPARE", spare)
    searched = []
    monkeypatch.setattr(
        bf16_search,
        "search_rows",
        lambda features, rows, k: searched.append(len(rows)) or search_rows(features, rows, k),
    )
    features = people(15, 20, 64, spread, 0)
    similarity, index = nearest_neighbours(features, 13, backend="bf16")
    unit = torch.nn.functional.normalize(features.double(), dim=1)
    cosine = (unit @ unit.T).fill_diagonal_(2)
    # The best possible lists, up to the rounding of float32.
    best = cosine.sort(descending=True).values[:, 1:13]
    torch.testing.assert_close(cosine.gather(1, index)[:, 1:], best, atol=1e-6, rtol=0)
    torch.testing.assert_close(similarity[:, 1:].double(), best, atol=1e-6, rtol=0)
    assert all(len(set(row)) == 13 for row in index.tolist())
    if spread == 0.005 and spare == -13:
        assert searched[0] > 0
    if spread == 1.0 and spare == 16:
        assert searched[0] < len(features)


@pytest.mark.parametrize(("units", "wanted"), [(True, "bf16"), (False, "tiled")])
def test_bf16_is_chosen_only_where_the_cpu_has_units_for_it(units, wanted, monkeypatch):
    used = []
    for name in ("bf16", "tiled"):
        monkeypatch.setitem(
            neighbours.SEARCH,
            name,
            lambda unit, k, name=name: used.append(name) or tiled_search.tiled_neighbours(unit, k),
        )
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: units, raising=False)
    nearest_neighbours(torch.eye(5), 3)
    assert used == [wanted]


def test_inverted_lists_say_their_recall(caplog):
    features = people(40, 20, 16, 0.5, 1)
    similarity, index = nearest_neighbours(features, 10, backend="ivf")
    _, wanted = nearest_neighbours(features, 10)
    hits = (index[:, 1:, None] == wanted[:, None, 1:]).any(2)
    said = float(caplog.text.split("recall ")[1].split()[0])
    assert said == pytest.approx(hits.double().mean().item(), abs=0.02)
    assert said > 0.9
    assert torch.equal(index[:, 0], torch.arange(len(features)))
    assert (similarity.diff(dim=1) <= 0).all()


def test_lists_that_inverted_lists_leave_short_are_filled(monkeypatch, caplog):
    monkeypatch.setattr(faiss_search, "PROBED", 1)
    monkeypatch.setattr(faiss_search, "ROWS_PER_LIST", 10)
    features = people(20, 10, 16, 0.1, 2)
    _, index = nearest_neighbours(features, 40, backend="ivf")
    assert (index >= 0).all()
    assert all(len(set(row)) == 40 for row in index.tolist())
    assert "recall" in caplog.text


def test_a_faiss_without_gpu_is_found_out_by_a_trial(monkeypatch):
    assert "GpuIndexFlatIP" in faiss_search.gpu_trial.__wrapped__()
    monkeypatch.setattr(faiss_search, "TRIAL", "import os; os.abort()")
    assert "code" in faiss_search.gpu_trial.__wrapped__()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_finds_the_same_neighbours():
    features = torch.randn(500, 64, generator=torch.Generator().manual_seed(0))
    similarity, index = nearest_neighbours(features.cuda(), 20)
    assert index.is_cuda
    assert torch.equal(index.cpu(), nearest_neighbours(features, 20)[1])
    torch.testing.assert_close(similarity.cpu(), nearest_neighbours(features, 20)[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_broken_faiss_gpu_is_replaced_by_torch_with_one_line(monkeypatch, caplog):
    monkeypatch.setattr(neighbours, "gpu_trial", lambda: "wrong CUDA")
    features = torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).cuda()
    _, index = nearest_neighbours(features, 5, backend="faiss")
    assert torch.equal(index, nearest_neighbours(features, 5)[1])
    assert "faiss-gpu does not work (wrong CUDA)" in caplog.text
