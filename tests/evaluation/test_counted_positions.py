"""Counting and sorting find the same places, ties and NaN included."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.evaluation.ranking import counted_positions, sorted_positions


def case(queries, items, own, levels, dtype, seed):
    """Similarities of few levels (ties), signed zeros among them, and random own items."""
    rng = np.random.default_rng(seed)
    similarity = rng.integers(-levels, levels + 1, (queries, items)) / 4
    similarity *= rng.choice([1, -1], similarity.shape)  # 0 becomes -0.0 here and there
    members = np.full((queries, own), -1)
    for row in members:
        count = rng.integers(0, min(own, items) + 1)
        row[:count] = np.sort(rng.choice(items, count, replace=False))
    return torch.from_numpy(similarity).to(dtype), torch.from_numpy(members)


@settings(max_examples=60, deadline=None)
@given(
    queries=st.integers(1, 4),
    items=st.integers(1, 300),
    own=st.sampled_from([1, 5, 20, 100]),
    levels=st.integers(1, 40),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 10_000),
)
def test_places_equal_a_stable_sort(queries, items, own, levels, dtype, seed):
    similarity, members = case(queries, items, own, levels, dtype, seed)
    ranked, column, broken = counted_positions(similarity, members)
    assert bool((ranked.diff(dim=1) >= 0).all())
    assert torch.equal(column.sort(1).values, torch.arange(own).expand_as(column))
    assert bool((ranked[members.gather(1, column) < 0] == items).all())
    found = torch.empty_like(ranked).scatter_(1, column, ranked)
    by_sort = sorted_positions(similarity, members)
    order = np.argsort(-similarity.numpy(), axis=1, kind="stable")
    for q, row in enumerate(members.tolist()):
        for m, item in enumerate(row):
            if item >= 0:
                wanted = int(np.flatnonzero(order[q] == item)[0])
                assert found[q, m] == by_sort[q, m] == wanted
    assert not broken.any()


def test_layout_does_not_matter():
    similarity, members = case(5, 200, 9, 10, torch.float32, 0)
    wanted = counted_positions(similarity, members)
    found = counted_positions(similarity.T.contiguous().T, members)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted))


@pytest.mark.parametrize("place", [0, 70, 129, 199])
@pytest.mark.parametrize("own", [[], [3], [70], [0, 70, 129, 199]])
def test_nan_is_found_wherever_it_is(place, own):
    similarity = torch.linspace(-1, 1, 200).repeat(3, 1)
    similarity[1, place] = torch.nan
    members = torch.tensor([own + [-1] * (5 - len(own))] * 3)
    assert counted_positions(similarity, members)[2].tolist() == [False, True, False]
