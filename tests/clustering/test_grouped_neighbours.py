"""Neighbours of the own group and of the others, against a full sort of each."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.clustering import grouped_neighbours as module
from vireid.clustering.grouped_neighbours import grouped_neighbours


def rows_of(count, seed, *, means=False):
    rows = np.random.default_rng(seed).standard_normal((count, 7))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if means:
        rows *= np.random.default_rng(seed + 1).uniform(0.8, 1, (count, 1))
    return torch.from_numpy(rows.astype(np.float32))


def plain_lists(rows, groups, own, other):
    """Every row's distances to all, sorted, group by group."""
    exact = rows.double()
    distance = (exact[:, None] - exact[None]).square().sum(2)
    found = []
    for i, group in enumerate(groups):
        order = [j for j in distance[i].argsort().tolist() if j != i]
        same = [i] + [j for j in order if groups[j] == group]
        rest = [j for j in order if groups[j] != group]
        found.append((same[:own], rest[:other]))
    return found, distance


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 40),
    kinds=st.integers(1, 5),
    own=st.integers(1, 12),
    other=st.integers(0, 12),
    means=st.booleans(),
    blocks=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_the_lists_are_those_of_a_full_sort(count, kinds, own, other, means, blocks, seed):
    rows = rows_of(count, seed, means=means)
    groups = np.random.default_rng(seed).choice([3, 7, 8, 20, 21], count) % (kinds + 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vireid.clustering.tiled_search.LEFT", 8)
        patch.setattr("vireid.clustering.tiled_search.RIGHT", 5)
        if blocks:
            patch.setattr(module, "_search", module._blocks)
            patch.setattr(module, "BLOCK_SIMILARITIES", 3 * count)
        found = grouped_neighbours(rows, groups, own, other)
    wanted, distance = plain_lists(rows, groups, own, other)
    for i, lists in enumerate(wanted):
        for kept, similarity, names in (
            (found.own[i], found.own_similarity[i], lists[0]),
            (found.other[i], found.other_similarity[i], lists[1]),
        ):
            there = kept >= 0
            assert kept[there].tolist() == names
            assert not there[len(names) :].any()
            near = 1 - distance[i, kept[there]] / 2
            torch.testing.assert_close(similarity[there].double(), near, rtol=0, atol=2e-6)
            assert (similarity[~there] == 0).all()


def test_groups_of_another_length_and_impossible_lists_are_refused():
    rows = rows_of(5, 0)
    with pytest.raises(ValueError, match="one code for each of the 5 rows"):
        grouped_neighbours(rows, [0, 1], 3, 3)
    with pytest.raises(ValueError, match="own of at least 1"):
        grouped_neighbours(rows, [0] * 5, 0, 3)
