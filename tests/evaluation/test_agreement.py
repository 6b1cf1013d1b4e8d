"""What a network's features say about themselves where nobody is known."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from vireid.evaluation.agreement import agreement, agreement_table, nearest


def unit(count, seed, dim=6):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, dim, generator=generator), dim=1)


def plain(features, others, halves, pairs):
    """The three shares, one tracklet after the other."""

    def best(row, gallery):
        return max(range(len(gallery)), key=lambda n: float(row @ gallery[n]))

    mutual = [best(others[best(row, others)], features) == n for n, row in enumerate(features)]
    same = [best(a, others) == best(b, others) for a, b in zip(*halves)]
    wins = [
        float(x[i] @ y[i] > x[i] @ y[j])
        for a, b in pairs
        for i, j in ((a, b), (b, a))
        for x, y in (halves, halves[::-1])
    ]
    return np.mean(mutual), np.mean(same), np.mean(wins)


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_those_of_a_plain_count(seed, monkeypatch):
    monkeypatch.setattr("vireid.evaluation.agreement.ROWS", 4)
    features, others = unit(11, seed), unit(7, seed + 100)
    halves = unit(9, seed + 200), unit(9, seed + 300)
    pairs = list(itertools.combinations(range(9), 2))[::3]
    found = agreement(features, others, halves, np.array(pairs))
    mutual, same, apart = plain(features, others, halves, pairs)
    assert found.mutual == pytest.approx(mutual)
    assert found.halves == pytest.approx(same)
    assert found.apart == pytest.approx(apart)
    assert (found.tracklets, found.ranked, found.comparisons) == (11, 7, 4 * len(pairs))


def test_a_network_that_knows_everybody_agrees_with_itself():
    people = torch.eye(6)
    found = agreement(people, people, (people, people), np.array([[0, 1], [2, 5]]))
    assert (found.mutual, found.halves, found.apart) == (1.0, 1.0, 1.0)


def test_a_network_that_gives_everybody_one_vector_agrees_on_nothing_but_ties():
    same = torch.ones(6, 3) / 3**0.5
    found = agreement(same, same, (same, same), np.array([[0, 1], [2, 5]]))
    assert found.mutual == pytest.approx(1 / 6)
    assert found.apart == 0.5


def test_what_random_similarities_give_is_told():
    draws = [
        agreement(unit(6, s, 64), unit(4, s + 5000, 64), (unit(0, 0, 64),) * 2, np.empty((0, 2)))
        for s in range(300)
    ]
    assert np.mean([one.mutual for one in draws]) == pytest.approx(
        draws[0].mutual_at_random, abs=0.05
    )
    assert draws[0].mutual_at_random == pytest.approx(4 / 9)
    assert draws[0].halves is None and draws[0].apart is None
    assert len(nearest(unit(0, 0), unit(3, 1))) == 0


def test_the_table_has_a_column_for_each_modality_and_one_for_chance():
    one = agreement(torch.eye(4), torch.eye(4)[:3], (torch.eye(4),) * 2, np.array([[0, 1]]))
    text = agreement_table({"visible": one, "infrared": one}, {"clusters": {"visible": "7"}})
    head, mutual, _, apart, clusters = text.splitlines()
    assert head.split() == ["visible", "infrared", "at", "random"]
    assert mutual.split()[-3:] == ["75.0%", "75.0%", "50.0%"]
    assert apart.split()[-3:] == ["100.0%", "100.0%", "50.0%"]
    assert clusters.split() == ["clusters", "7", "-"]
