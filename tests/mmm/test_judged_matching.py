"""Clusters of two modalities, matched under a person's judgements."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.clustering.constraints import close_constraints
from vireid.mmm.judged_matching import match_allowed, match_judged
from vireid.mmm.match_clusters import match_clusters
from vireid.mmm.matching import match
from vireid.mmm.options import MatchingOptions

MATCHERS = ("nearest", "one-to-one", "partial", "adaptive")
FEW = settings(deadline=None, max_examples=40)


def judged(world, together, apart, **options):
    features, labels, modalities = world
    constraints = close_constraints(len(labels), together, apart)
    return match_judged(features, labels, modalities, constraints, MatchingOptions(**options))


def people(count=4, tracks=3, noise=0.05):
    """A cluster of each person in each modality; track number = person · tracks + i, then +V."""
    person = np.tile(np.repeat(np.arange(count), tracks), 2)
    modalities = np.repeat([0, 1], count * tracks)
    draw = torch.Generator().manual_seed(0)
    features = torch.eye(max(8, count))[person] + noise * torch.randn(
        len(person), max(8, count), generator=draw
    )
    return torch.nn.functional.normalize(features, dim=1), person.copy(), modalities


@st.composite
def worlds(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    count = draw(st.integers(4, 18))
    modalities = rng.permutation(np.arange(count) % 2)
    labels = rng.integers(-1, 3, count)
    for own in (modalities == 0, modalities == 1):
        kept = own & (labels >= 0)
        labels[kept] = np.unique(labels[kept], return_inverse=True)[1]
    features = torch.nn.functional.normalize(
        torch.from_numpy(rng.standard_normal((count, 4))).float()
    )
    who = rng.integers(0, 3, count)
    asked = [rng.choice(count, 2, replace=False).tolist() for _ in range(draw(st.integers(1, 9)))]
    together = [pair for pair in asked if who[pair[0]] == who[pair[1]]]
    apart = [pair for pair in asked if who[pair[0]] != who[pair[1]]]
    return (features, labels, modalities), together, apart


@FEW
@given(worlds(), st.sampled_from(MATCHERS))
def test_every_judgement_holds_in_clusters_and_matching(world, matcher):
    (_, labels, modalities), together, apart = world
    found = judged(world[0], together, apart, matcher=matcher, memories=1)
    assert all(found.unified[one] == found.unified[other] >= 0 for one, other in together)
    noise = found.unified < 0  # together with nobody
    assert all(noise[one] or found.unified[one] != found.unified[other] for one, other in apart)
    for one, other in together:
        if modalities[one] == modalities[other]:
            assert found.labels[one] == found.labels[other]
    for one, other in apart:
        if modalities[one] == modalities[other]:
            assert noise[one] or found.labels[one] != found.labels[other]
    # What a run keeps: clusters without gaps, costs of all pairs, labels that fit the assignment.
    assert np.array_equal(found.labels >= 0, found.unified >= 0)
    counts = []
    for own in (modalities == 0, modalities == 1):
        clusters = found.labels[own]
        counts.append(clusters.max(initial=-1) + 1)
        assert set(clusters[clusters >= 0]) == set(range(counts[-1]))
    assert found.cost.shape == tuple(counts) and found.assignment.shape == (counts[0],)
    visible, infrared = modalities == 0, modalities == 1
    for cluster, partner in enumerate(found.assignment):
        own = found.unified[visible & (found.labels == cluster)]
        theirs = found.unified[infrared & (found.labels == partner)]
        assert len({*own, *(theirs if partner >= 0 else ())}) == 1
    judged_tracks = np.unique([*together, *apart])
    stays = np.setdiff1d(np.flatnonzero(labels < 0), judged_tracks)
    assert (found.unified[stays] == -1).all()


@FEW
@given(worlds())
def test_without_judgements_it_is_the_plain_matching_to_the_bit(world):
    features, labels, modalities = world[0]
    options = MatchingOptions(memories=1)
    plain = match_clusters(features, labels, modalities, options)
    found = judged(world[0], [], [], memories=1)
    for name in ("labels", "unified", "assignment"):
        assert np.array_equal(getattr(found, name), getattr(plain, name))
    assert torch.equal(found.cost, plain.cost)


@pytest.mark.parametrize("matcher", MATCHERS)
def test_a_link_fixes_the_pair_against_all_features(matcher):
    world = people()
    found = judged(world, [(0, 12 + 3)], [], matcher=matcher)  # persons 0 and 1
    assert found.assignment[0] == 1
    assert found.unified[0] == found.unified[12 + 5]
    rest = found.assignment[2:]
    assert np.array_equal(rest, [2, 3])


@pytest.mark.parametrize("matcher", MATCHERS)
def test_a_rejected_pair_is_never_matched(matcher):
    found = judged(people(8), [], [(0, 24)], matcher=matcher)
    assert found.assignment[0] != 0
    if matcher == "nearest":
        assert found.assignment[0] >= 0
    else:
        assert found.assignment[0] == -1  # rather than take another's partner
    assert np.array_equal(found.assignment[1:], range(1, 8))
    none = judged(people(1), [], [(0, 3)], matcher=matcher)
    assert none.assignment.tolist() == [-1]


def test_noise_that_only_differs_takes_no_cluster_its_partner():
    features, labels, modalities = people(4)
    labels[0] = -1
    # It looks like the infrared cluster of person 1, and is not.
    features[0] = features[15]
    options = MatchingOptions(memories=1, matcher="one-to-one")
    before = match_clusters(features, labels, modalities, options)
    found = judged((features, labels, modalities), [], [[0, 18]], memories=1, matcher="one-to-one")
    assert np.array_equal(found.unified, before.unified)
    assert np.array_equal(found.assignment, before.assignment)


def test_noise_that_is_linked_joins_what_its_partner_is_matched_with():
    features, labels, modalities = people()
    labels[[2, 12 + 11]] = -1  # one of person 0, visible; one of person 3, infrared
    found = judged((features, labels, modalities), [(2, 12), (9, 23)], [])
    assert np.array_equal(found.assignment, range(4))
    assert np.array_equal(found.labels, people()[1])
    # Alone, where the partner's cluster is matched with nobody.
    found = judged((features, labels, modalities), [(2, 12)], [(0, 12), (3, 12), (6, 12), (9, 12)])
    assert found.labels[2] == 4
    assert found.unified[2] == found.unified[12]
    assert found.assignment[4] == 0


def test_two_that_must_be_apart_do_not_share_a_partner():
    features, labels, modalities = people(2)
    labels[:6] = [0, 0, 1, 2, 2, 2]  # person 0 in two pieces, which somebody wrongly parts
    world = (features, labels, modalities)
    assert judged(world, [], [(3, 8)], matcher="nearest").assignment.tolist() == [0, 0, 1]
    found = judged(world, [], [(0, 2)], matcher="nearest")
    assert found.assignment[2] == 1
    assert sorted(found.assignment[:2]) == [0, 1]


@pytest.mark.parametrize("matcher", MATCHERS)
def test_forbidden_pairs_do_not_disturb_the_others(matcher):
    rng = np.random.default_rng(0)
    cost = torch.from_numpy(rng.normal(10, 1, (12, 12)))
    cost[range(12), range(12)] -= 6
    forbidden = np.zeros((12, 12), bool)
    forbidden[[0, 5, 7], [3, 1, 2]] = True
    assert match_allowed(cost, forbidden, matcher).tolist() == list(range(12))
    forbidden[:] = True
    assert (match_allowed(cost, forbidden, matcher) == -1).all()
    assert np.array_equal(
        match_allowed(cost, np.zeros((12, 12), bool), matcher), match(cost, matcher)
    )
