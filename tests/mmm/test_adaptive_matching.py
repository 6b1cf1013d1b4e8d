"""The matcher that finds out how many clusters have a partner."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from vireid.mmm.matchers import UNMATCHED, adaptive, one_to_one, partial
from vireid.mmm.pair_mixture import likely_pairs

CLUSTERS = 40


def clusters(share, seed, noise=0.8, dim=64):
    """Costs of people in two modalities, of whom a share is in both, and the right partners."""
    draw = torch.Generator().manual_seed(seed)
    both = round(CLUSTERS * share)
    people = torch.randn(2 * CLUSTERS, dim, generator=draw)
    offset = torch.randn(2, dim, generator=draw)
    sides = []
    for side, ids in enumerate(
        (range(CLUSTERS), [*range(both), *range(CLUSTERS, 2 * CLUSTERS - both)])
    ):
        spread = noise * (1 + 0.5 * torch.rand(CLUSTERS, 1, generator=draw))
        rows = people[list(ids)] + offset[side]
        sides.append(functional.normalize(rows + spread * torch.randn(rows.shape, generator=draw)))
    truth = torch.arange(CLUSTERS).where(torch.arange(CLUSTERS) < both, UNMATCHED)
    return torch.cdist(*sides), truth


def agreement(found, truth):
    """Harmonic mean of precision and recall of the pairs."""
    right = int(((found == truth) & (found >= 0)).sum())
    return 2 * right / max(1, int((found >= 0).sum()) + int((truth >= 0).sum()))


@pytest.mark.parametrize("share", [1.0, 0.75, 0.5, 0.25])
def test_it_is_near_the_better_of_two_rules_whatever_the_share(share):
    """A rule for one share only is up to half as good at another; measured distances: 0 to 0.03."""
    scores = []
    for seed in range(8):
        cost, truth = clusters(share, seed)
        scores.append([agreement(rule(cost), truth) for rule in (adaptive, one_to_one, partial)])
    own, *others = np.mean(scores, 0)
    assert own > max(others) - 0.1


def test_where_everybody_has_a_partner_it_is_one_to_one():
    for seed in range(5):
        cost, truth = clusters(1.0, seed, noise=0.4)
        assert torch.equal(adaptive(cost), truth)
        assert torch.equal(one_to_one(cost), truth)


def test_strangers_choose_among_those_whom_nobody_has_taken():
    """Strangers who could choose among all would cost less, and many a true pair would go.

    Agreement is 0.70, and 0.58 where the rehearsal is of everybody, however many pairs are kept.
    """
    drawn = [clusters(1.0, seed, noise=1.2) for seed in range(8)]
    assert np.mean([agreement(adaptive(cost), truth) for cost, truth in drawn]) > 0.64


@settings(max_examples=30, deadline=None)
@given(
    visible=st.integers(1, 25),
    infrared=st.integers(1, 25),
    seed=st.integers(0, 1000),
    factor=st.floats(0.1, 10),
)
def test_its_pairs_are_those_of_one_to_one_and_names_and_units_do_not_matter(
    visible, infrared, seed, factor
):
    draw = np.random.default_rng(seed)
    cost = torch.from_numpy(draw.random((visible, infrared)))
    found = adaptive(cost)
    kept = found >= 0
    assert torch.equal(found[kept], one_to_one(cost)[kept])
    rows, columns = draw.permutation(visible), draw.permutation(infrared)
    moved = adaptive((cost[rows][:, columns] + 3) * factor)
    renamed = torch.tensor([int(columns[n]) if n >= 0 else UNMATCHED for n in moved.tolist()])
    assert torch.equal(renamed, found[torch.from_numpy(rows)])


def mixture(share, pairs, seed, distance=5.0):
    draw = np.random.default_rng(seed)
    true = draw.random(pairs) < share
    cost = np.where(true, draw.normal(-distance, 1.2, pairs), draw.normal(0, 1, pairs))
    return true, 2.5 * cost + 7, 2.5 * draw.normal(0, 1, 4000) + 7


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
def test_the_share_of_true_pairs_is_found(share):
    true, matched, strangers = mixture(share, 2000, 3)
    kept, found = likely_pairs(matched, strangers)
    assert found == pytest.approx(true.mean(), abs=0.03)
    assert (kept == true).mean() > 0.97  # the Gaussians overlap by a per cent


def test_strangers_alone_leave_nothing():
    for seed in range(5):
        _, matched, strangers = mixture(0.0, 200, seed)
        kept, found = likely_pairs(matched, strangers)
        assert not kept.any()
        assert found == 0


def test_costs_that_are_all_equal_part_nothing():
    kept, share = likely_pairs(np.full(5, 2.0), np.full(9, 2.0))
    assert kept.all() and share == 1
    assert adaptive(torch.ones(4, 6)).tolist() == one_to_one(torch.ones(4, 6)).tolist()
