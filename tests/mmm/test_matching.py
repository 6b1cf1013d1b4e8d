"""Costs and matches equal the published rule without its faults, for any number of clusters."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.clustering.subclusters import subcluster_centres
from vireid.mmm import matching
from vireid.mmm.matchers import partial
from vireid.mmm.matching import match, matching_cost, transfer_labels, unify_labels

VECTORS = sorted((Path(__file__).parents[1] / "conformance").glob("mmm_matching_*.npz"))
METHODS = ("nearest", "one-to-one", "partial")


def cost_by_loops(visible, infrared, variant):
    cost = np.zeros((len(visible), len(infrared)))
    for v, first in enumerate(visible):
        for i, second in enumerate(infrared):
            apart = [[np.linalg.norm(a - b) for b in second] for a in first]
            paper = sum(min(row) for row in apart)
            released = sum(min(column) for column in zip(*apart, strict=True))
            cost[v, i] = {
                "paper": paper,
                "released": released,
                "symmetric": (paper + released) / 2,
            }[variant]
    return cost


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_costs_and_matches(path):
    case = np.load(path)
    cost = matching_cost(case["centers_vis"], case["centers_ir"], variant="released")
    np.testing.assert_allclose(cost, case["cost"], atol=1e-5, rtol=1e-5)
    nearest, one_to_one = match(cost, "nearest"), match(cost, "one-to-one")
    np.testing.assert_array_equal(nearest, case["nearest_ir"])
    np.testing.assert_array_equal(one_to_one, case["one_to_one_ir"])
    pairs = one_to_one >= 0
    total = cost[pairs, one_to_one[pairs]].sum().item()
    assert total == pytest.approx(case["one_to_one_total"].item(), abs=1e-4)
    labels = case["labels_vis"]
    wanted = case["expected_labels_vis_nearest"]
    np.testing.assert_array_equal(transfer_labels(labels, nearest), wanted)
    wanted = case["expected_labels_vis_one_to_one"]
    np.testing.assert_array_equal(transfer_labels(labels, one_to_one), wanted)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_published_matches_from_features_on(path):
    case = {name: torch.from_numpy(array) for name, array in np.load(path).items()}
    visible, _ = subcluster_centres(case["features_vis"], case["labels_vis"])
    infrared, _ = subcluster_centres(case["features_ir"], case["labels_ir"])
    cost = matching_cost(visible, infrared, variant="released")
    torch.testing.assert_close(cost, case["cost"], atol=1e-5, rtol=1e-5)
    assert torch.equal(match(cost), case["nearest_ir"])


def test_all_vectors_are_here():
    assert len(VECTORS) == 5


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 7),
    st.integers(0, 7),
    st.integers(1, 4),
    st.sampled_from(["paper", "released", "symmetric"]),
    st.sampled_from([0.0, 1e3]),
    st.integers(0, 1000),
)
def test_cost_equals_loops(visible, infrared, k, variant, offset, seed):
    generator = torch.Generator().manual_seed(seed)
    left = torch.randn(visible, k, 3, generator=generator) + offset
    right = torch.randn(infrared, 2, 3, generator=generator) + offset
    if visible and infrared:
        right[0, 0] = left[0, 0]  # equal centres: the distance 0 must not suffer by rounding
    cost = matching_cost(left, right, variant=variant)
    wanted = cost_by_loops(left.double().numpy(), right.double().numpy(), variant)
    np.testing.assert_allclose(cost, wanted, atol=1e-5)


def test_blocks_do_not_show_and_variants_mirror(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(9, 4, 6, generator=generator)
    right = torch.randn(5, 4, 6, generator=generator)
    whole = matching_cost(left, right)
    torch.testing.assert_close(whole, matching_cost(right, left, variant="released").T)
    monkeypatch.setattr(matching, "BLOCK_VALUES", 1)
    torch.testing.assert_close(matching_cost(left, right), whole)
    assert whole.dtype == torch.float64


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_one_to_one_is_the_cheapest_of_all_assignments(visible, infrared, seed):
    cost = np.random.default_rng(seed).random((visible, infrared))
    found = match(cost, "one-to-one").numpy()
    pairs = [(v, i) for v, i in enumerate(found) if i >= 0]
    assert len(pairs) == min(cost.shape) == len({i for _, i in pairs})
    wide = cost if visible <= infrared else cost.T
    best = min(
        sum(wide[row, column] for row, column in enumerate(columns))
        for columns in permutations(range(wide.shape[1]), len(wide))
    )
    assert sum(cost[pair] for pair in pairs) == pytest.approx(best)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "shape", [(0, 0), (0, 4), (4, 0), (1, 1), (1, 4), (4, 1), (10, 2), (2, 10)]
)
def test_every_ratio_of_clusters_has_an_answer(method, shape):
    cost = torch.rand(shape, generator=torch.Generator().manual_seed(1)) + 0.5
    found = match(cost, method)
    visible, infrared = shape
    assert found.shape == (visible,) and found.dtype == torch.int64
    assert ((found >= -1) & (found < infrared)).all()
    if infrared == 0:
        assert (found == -1).all()
    elif method == "nearest":
        assert (found >= 0).all()
    else:
        used = found[found >= 0]
        assert len(used.unique()) == len(used) <= min(shape)
        if method == "one-to-one":
            assert len(used) == min(shape)


@pytest.mark.parametrize("method", METHODS)
def test_names_of_the_clusters_do_not_matter(method):
    generator = torch.Generator().manual_seed(3)
    cost = torch.rand(12, 9, generator=generator)
    rows, columns = torch.randperm(12, generator=generator), torch.randperm(9, generator=generator)
    found = match(cost, method)
    renamed = match(cost[rows][:, columns], method)
    back = torch.where(renamed >= 0, columns[renamed.clamp_min(0)], -1)
    assert torch.equal(back, found[rows])


def identities(partners, count=60, seed=0):
    """Centres of ``count`` people a modality of whom the first ``partners`` are in both."""
    generator = torch.Generator().manual_seed(seed)
    people = torch.randn(2 * count - partners, 1, 64, generator=generator)
    second = torch.cat([torch.arange(partners), torch.arange(count, 2 * count - partners)])
    visible = people[:count] + 0.5 * torch.randn(count, 4, 64, generator=generator)
    infrared = people[second] + 0.5 * torch.randn(count, 4, 64, generator=generator) + 0.3
    return torch.nn.functional.normalize(visible, dim=2), torch.nn.functional.normalize(
        infrared, dim=2
    )


@pytest.mark.parametrize("partners", [0, 15, 30, 60])
def test_partial_matching_leaves_clusters_without_a_partner_alone(partners):
    cost = matching_cost(*identities(partners), variant="symmetric")
    found = match(cost, "partial")
    right = found[:partners] == torch.arange(partners)
    assert right.sum() >= 0.95 * partners
    assert (found >= 0).sum() - right.sum() <= 5
    assert (match(cost, "one-to-one") >= 0).all(), "which the plain assignment cannot do"


def test_a_higher_threshold_leaves_more_clusters_alone():
    cost = torch.randn(30, 30, generator=torch.Generator().manual_seed(5))
    matched = [(partial(cost, t) >= 0).sum() for t in (0.0, 0.3, 0.5, 2.0)]
    assert matched == sorted(matched, reverse=True)
    assert matched[0] == 30 and 0 < matched[2] < 30 and matched[3] == 0


def test_partial_matching_forgives_a_cluster_that_is_far_from_all():
    cost = torch.rand(20, 20, generator=torch.Generator().manual_seed(6))
    cost.fill_diagonal_(-1.0)
    offset = torch.arange(20.0)
    expected = list(range(20))
    assert match(cost + offset[:, None], "partial").tolist() == expected
    assert match(cost + offset, "partial").tolist() == expected


@pytest.mark.parametrize("shape", [(2, 2), (1, 2), (2, 1), (1, 1)])
def test_too_few_clusters_to_tell_are_matched(shape):
    cost = torch.rand(shape, generator=torch.Generator().manual_seed(7))
    assert torch.equal(match(cost, "partial"), match(cost, "one-to-one"))


@pytest.mark.parametrize("shape", [(1, 8), (2, 8), (8, 1), (8, 2)])
def test_partial_matching_with_few_clusters_on_one_side(shape):
    cost = torch.rand(shape, generator=torch.Generator().manual_seed(8))
    cost[0, 0] = -5.0
    assert match(cost, "partial")[0] == 0
    alone = match(torch.ones(shape), "partial")
    assert (alone == -1).all(), "all costs alike: no partner stands out"


def test_unified_labels_are_shared_by_matched_clusters_and_dense():
    visible = torch.tensor([0, 1, 2, 3, -1, 3])
    infrared = torch.tensor([2, 0, 1, 1, -1])
    first, second = unify_labels(visible, infrared, torch.tensor([1, -1, 1, 2]))
    assert second.tolist() == [2, 0, 1, 1, -1]
    assert first.tolist() == [1, 3, 1, 2, -1, 2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), st.sampled_from(METHODS), st.integers(0, 1000))
def test_unified_labels_keep_what_the_match_says(visible, infrared, method, seed):
    rng = np.random.default_rng(seed)
    first = rng.permutation(np.concatenate([np.arange(-1, visible)] * 2))
    second = rng.permutation(np.concatenate([np.arange(-1, infrared)] * 2))
    assignment = match(rng.random((visible, infrared)), method)
    left, right = (t.numpy() for t in unify_labels(first, second, assignment))
    used = np.union1d(left, right)
    np.testing.assert_array_equal(used[used >= 0], np.arange((used >= 0).sum()))
    np.testing.assert_array_equal(left == -1, first == -1)
    np.testing.assert_array_equal(right == -1, second == -1)
    for v, own in zip(first, left, strict=True):
        if v < 0:
            continue
        partners = set(second[right == own].tolist())
        assert partners == ({int(assignment[v])} if assignment[v] >= 0 else set())
        same = {int(w) for w in first[left == own]}
        assert same == {
            w
            for w in range(visible)
            if w == v or (assignment[v] >= 0 and assignment[w] == assignment[v])
        }


def test_labels_that_the_match_does_not_know_are_refused():
    with pytest.raises(ValueError, match="found label 2"):
        transfer_labels([0, 2], torch.tensor([1, 0]))
    with pytest.raises(ValueError, match="visible cluster 1 is matched with infrared cluster 4"):
        unify_labels([0, 1], [0, 1], torch.tensor([0, 4]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: matching_cost(torch.ones(2, 3), torch.ones(2, 1, 3)), "visible"),
        (lambda: matching_cost(torch.ones(2, 1, 3), torch.ones(2, 1, 4)), "one length"),
        (lambda: matching_cost(torch.ones(1, 1, 2), torch.ones(1, 1, 2), variant="x"), "variant"),
        (
            lambda: matching_cost(
                torch.ones(1, 1, 2), torch.tensor([[[1.0, 1]], [[torch.nan, 1]]])
            ),
            "infrared: cluster 1",
        ),
        (lambda: match(torch.ones(2, 2), "best"), "unknown matcher 'best'"),
        (lambda: match(torch.ones(2)), "matrix"),
        (lambda: match(torch.tensor([[1.0, torch.nan]])), r"\(0, 1\)"),
        (lambda: partial(torch.ones(2, 2), -0.1), "threshold"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
