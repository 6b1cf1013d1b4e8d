"""Must-links, cannot-links, and the clusters that keep to them."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from vireid.clustering.constraints import Contradiction, close_constraints, constrain

FEW = settings(deadline=None, max_examples=80)


def plain_closure(count, together):
    """[N, N] bool, by trying every way through every item."""
    linked = np.eye(count, dtype=bool)
    for one, other in together:
        linked[one, other] = linked[other, one] = True
    for middle in range(count):
        linked |= linked[:, [middle]] & linked[[middle], :]
    return linked


@st.composite
def pairs(draw, count=10):
    item = st.integers(0, count - 1)
    pair = st.tuples(item, item).filter(lambda p: p[0] != p[1])
    together = draw(st.lists(pair, max_size=7))
    apart = draw(st.lists(pair, max_size=7))
    return together, apart


def consistent(count, together, apart):
    linked = plain_closure(count, together)
    return not any(linked[one, other] for one, other in apart)


@FEW
@given(pairs())
def test_the_closure_is_that_of_the_plain_version(found):
    together, apart = found
    linked = plain_closure(10, together)
    if not consistent(10, together, apart):
        with pytest.raises(Contradiction) as error:
            close_constraints(10, together, apart)
        chain = error.value.chain
        links = {frozenset(pair) for pair in together}
        assert all(frozenset(pair) in links for pair in itertools.pairwise(chain))
        ends = {frozenset(pair) for pair in apart}
        assert frozenset((chain[0], chain[-1])) in ends
        assert len(chain) == min(shortest(10, links, pair) for pair in apart)
        return
    constraints = close_constraints(10, together, apart)
    known = constraints.components
    assert set(np.flatnonzero(known >= 0)) == {item for pair in together + apart for item in pair}
    for one, other in itertools.combinations(np.flatnonzero(known >= 0), 2):
        assert (known[one] == known[other]) == linked[one, other]
    assert set(map(tuple, constraints.apart.tolist())) == {
        tuple(sorted((known[one], known[other]))) for one, other in apart
    }


def shortest(count, links, pair):
    reached, length = {pair[0]}, 1
    while pair[1] not in reached:
        wider = reached | {i for link in links for i in link if link & reached}
        if wider == reached:
            return count + 1
        reached, length = wider, length + 1
    return length


@st.composite
def worlds(draw):
    """Labels of two modalities with numbers of their own, features, and pairs that agree."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    count = draw(st.integers(2, 14))
    modalities = rng.integers(0, 2, count)
    labels = rng.integers(-1, 3, count)
    labels = np.where((modalities == 1) & (labels >= 0), labels + 3, labels)
    labels[labels >= 0] = np.unique(labels[labels >= 0], return_inverse=True)[1]
    features = torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((count, 4))))
    people = rng.integers(0, 3, count)
    asked = [rng.choice(count, 2, replace=False).tolist() for _ in range(draw(st.integers(1, 9)))]
    together = [pair for pair in asked if people[pair[0]] == people[pair[1]]]
    apart = [pair for pair in asked if people[pair[0]] != people[pair[1]]]
    return labels, modalities, features, together, apart


@FEW
@given(worlds(), st.booleans())
def test_every_constraint_holds_and_the_order_of_pairs_does_not_matter(world, apart_modalities):
    labels, modalities, features, together, apart = world
    kinds = modalities if apart_modalities else None
    constraints = close_constraints(len(labels), together, apart)
    found = constrain(labels, constraints, features, kinds)
    judged = constraints.components >= 0
    linked = np.isin(np.arange(len(labels)), together)
    assert (found[linked] >= 0).all()
    assert all(found[one] == found[other] for one, other in together)
    assert all(found[one] != found[other] or found[one] < 0 for one, other in apart)
    assert (found[~linked & (labels < 0)] == -1).all()
    assert (found[labels >= 0] >= 0).all()
    assert set(found[found >= 0]) == set(range(found.max() + 1))
    again = close_constraints(len(labels), together[::-1], [pair[::-1] for pair in apart[::-1]])
    assert np.array_equal(constrain(labels, again, features, kinds), found)
    # What nobody judged stays where it was: with no stranger that was not there before.
    for cluster in np.unique(labels[labels >= 0]):
        own = labels == cluster
        if not (own & judged).any():
            assert len(set(found[own])) == 1
            assert (labels[found == found[own][0]] == cluster).all()


@FEW
@given(worlds())
def test_without_constraints_nothing_changes(world):
    labels, modalities, features, _, _ = world
    labels = np.where(labels >= 0, labels * 3, labels)  # gaps stay as well
    none = close_constraints(len(labels), [], [])
    assert not none
    found = constrain(labels, none, features, modalities)
    assert np.array_equal(found, labels)
    assert found is not labels


@FEW
@given(worlds())
def test_clusters_of_a_modality_become_one_only_by_a_link_between_them(world):
    labels, modalities, features, together, apart = world
    assume(together)
    constraints = close_constraints(len(labels), together, apart)
    found = constrain(labels, constraints, features, modalities)
    linked = plain_closure(len(labels), together)
    for one, other in itertools.combinations(range(len(labels)), 2):
        first, second = labels[one], labels[other]
        new = found[one] == found[other] >= 0 and first != second and min(first, second) >= 0
        if new and modalities[one] == modalities[other]:
            assert linked[np.ix_(labels == first, labels == second)].any()


def line(*places: float) -> torch.Tensor:
    """Unit vectors by their angles: items near each other are similar."""
    angles = torch.tensor(places, dtype=torch.float64)
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_a_link_joins_two_clusters_and_takes_noise_along():
    constraints = close_constraints(7, [(0, 2), (2, 6)], [])
    labels = [0, 0, 1, 1, 2, -1, -1]
    found = constrain(labels, constraints, line(*range(7)))
    assert np.array_equal(found == found[0], [True, True, True, True, False, False, True])
    assert found[5] == -1


def test_a_side_of_a_split_grows_along_dense_ground():
    # The third is nearer to the second seed than to the first, but a chain leads to the first.
    features = line(0.0, 0.2, 0.4, 0.6, 1.1, 1.2)
    constraints = close_constraints(6, [], [(0, 4)])
    assert np.array_equal(constrain([0] * 6, constraints, features), [0, 0, 0, 0, 1, 1])


def test_an_outlier_leaves_nearly_alone():
    features = line(*np.linspace(0, 0.5, 9), 1.4)
    constraints = close_constraints(10, [], [(2, 9)])
    assert np.bincount(constrain([0] * 10, constraints, features)).tolist() == [9, 1]


def test_a_cluster_between_two_of_the_other_modality_is_split():
    # Visible 0-3 one cluster; infrared 4, 5 and 6, 7 are two, linked with one end of it each.
    features = line(0, 0.1, 0.9, 1, 0, 0.1, 0.9, 1)
    labels, kinds = [0, 0, 0, 0, 1, 1, 2, 2], [0] * 4 + [1] * 4
    constraints = close_constraints(8, [(0, 4), (3, 7)], [])
    found = constrain(labels, constraints, features, kinds)
    assert np.array_equal(found, [0, 0, 1, 1, 0, 0, 1, 1])
    # Once a link says that the two are one person, so is the cluster between them.
    constraints = close_constraints(8, [(0, 4), (3, 7), (5, 6)], [])
    assert set(constrain(labels, constraints, features, kinds)) == {0}


def test_items_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="expected items 0 to 2"):
        close_constraints(3, [(0, 3)], [])
