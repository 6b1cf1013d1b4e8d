"""The order of questions, against the rule written out pair by pair, and what it asks."""

import itertools
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.pseudo_labels.identities import Identities
from vireid.pseudo_labels.judgements import Judgement
from vireid.pseudo_labels.questions import LISTED, MAD_TO_SIGMA, SECOND, CandidatePairs

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


def tracklets(people=12, each=1, between=0.5, within=0.2, dim=8, seed=0):
    """Keys and vectors of people in two modalities, ``each`` tracklets of a person in either.

    Args:
        between: how far a modality moves a person.
        within: how far the tracklets of a person in a modality lie apart.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, dim))
    sides = []
    for _ in range(2):
        own = centres + between * rng.normal(size=centres.shape)
        rows = np.repeat(own, each, 0) + within * rng.normal(size=(people * each, dim))
        sides.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    names = [f"{n:03}-{k}" for n in range(people) for k in range(each)]
    return [f"v{name}" for name in names], [f"i{name}" for name in names], *sides


def same_person(question):
    return question.visible[1:4] == question.infrared[1:4]


def judgement(number, first, second, answer):
    return Judgement(first, second, answer, NOW, number)


def answered(question, number):
    answer = "same" if same_person(question) else "different"
    return judgement(number, question.visible, question.infrared, answer)


def plain(pairs, judgements):
    """Every open pair of tracklets that are clusters of their own, by the written rule."""
    visible, infrared, rows, columns = pairs
    similar = rows @ columns.T
    offset = np.array([similar[r] - np.median(similar[r]) for r in range(len(rows))])
    offset = np.array([offset[:, c] - np.median(offset[:, c]) for c in range(len(columns))]).T
    spread = MAD_TO_SIGMA * np.median(np.abs(offset - np.median(offset)))
    known = Identities(judgements)

    def partnered(key, others):
        return any(known.joined(key, other) for other in others)

    weight = {}
    for (r, first), (c, second) in itertools.product(enumerate(visible), enumerate(infrared)):
        if not known.settled(first, second):
            taken = partnered(first, infrared) + partnered(second, visible)
            weight[r, c] = np.exp(offset[r, c] / spread) * SECOND**taken
    worth = {}
    for (r, c), own in weight.items():
        left = own / (1 + sum(w for pair, w in weight.items() if pair[0] == r))
        right = own / (1 + sum(w for pair, w in weight.items() if pair[1] == c))
        chance = (left * right) ** 0.5
        settles = known.size(visible[r]) * known.size(infrared[c])
        names = frozenset((known.name(visible[r]), known.name(infrared[c])))
        found = (-chance * (1 - chance) * settles, visible[r], infrared[c])
        worth[names] = min(found, worth.get(names, found))
    return sorted(worth.values())


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_the_written_rule(seed):
    pairs = tracklets(7, seed=seed)
    judgements = []
    candidates = CandidatePairs(*pairs)
    assert len(candidates.questions([])) == 49  # too few for two clusters
    for number in range(1, 12):
        found = candidates.questions(judgements)
        expected = plain(pairs, judgements)
        assert [(one.visible, one.infrared) for one in found] == [one[1:] for one in expected]
        np.testing.assert_allclose(
            [one.worth for one in found], [-one[0] for one in expected], rtol=1e-6
        )
        # Not all from the top, so that identities grow, and meet.
        chosen = found[number * 7 % len(found)]
        answers = ("same", "different", "unsure")
        said = answers[number % 3]
        judgements.append(judgement(number, chosen.visible, chosen.infrared, said))


ANSWERS = st.lists(
    st.tuples(
        st.integers(0, 95), st.integers(0, 95), st.sampled_from(("same", "different", "unsure"))
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(ANSWERS, st.integers(0, 3))
def test_nothing_is_asked_that_follows_whatever_was_said(answers, seed):
    pairs = tracklets(8, each=6, seed=seed)
    keys = [*pairs[0], *pairs[1], "of another index"]
    said = [
        judgement(number, keys[one], keys[other], answer)
        for number, (one, other, answer) in enumerate(answers, 1)
        if one != other
    ]
    candidates = CandidatePairs(*pairs)
    found = candidates.questions(said)
    known = Identities(said)
    assert not any(known.settled(one.visible, one.infrared) for one in found)
    worths = [one.worth for one in found]
    assert worths == sorted(worths, reverse=True)
    assert all(one.worth >= 0 for one in found)
    asked = [frozenset((known.name(one.visible), known.name(one.infrared))) for one in found]
    assert len(asked) == len(set(asked)) <= LISTED
    assert CandidatePairs(*pairs).questions(said[::-1]) == found


def test_questions_come_to_an_end_and_find_every_partner():
    pairs = tracklets(8, each=6)
    candidates, said = CandidatePairs(*pairs), []
    while found := candidates.questions(said):
        said.append(answered(found[0], len(said) + 1))
    assert len(said) < 100  # of 2,304 pairs of tracklets
    known = Identities(said)
    spoken = {key[1:4] for one in known.found for key in one.members}
    assert len(spoken) == 8


def test_what_is_foreseen_is_not_asked_first():
    pairs = tracklets(40, each=8, between=0.9, dim=16)
    candidates, said = CandidatePairs(*pairs), []
    for number in range(1, 51):
        said.append(answered(candidates.questions(said)[0], number))
    share = sum(one.answer == "same" for one in said) / len(said)
    # Most of the best candidates are right here, and those would be asked about otherwise.
    best = np.argmax(pairs[2] @ pairs[3].T, 1)
    right = np.mean([pairs[0][n][1:4] == pairs[1][b][1:4] for n, b in enumerate(best)])
    assert right > 0.6
    assert 0.3 < share < 0.8


def test_an_answer_speaks_for_the_clusters_of_its_tracklets():
    pairs = tracklets(8, each=6, between=0.2, within=0.05)
    candidates = CandidatePairs(*pairs)
    assert len(candidates.questions([])) == 64
    for answer in ("same", "different", "unsure"):
        found = candidates.questions([judgement(1, "v003-1", "i003-4", answer)])
        assert len(found) == 63
        assert not any(one.visible[1:4] == one.infrared[1:4] == "003" for one in found)
    # One who has a partner is asked about after all who have none.
    found = candidates.questions([judgement(1, "v003-1", "i003-4", "same")])
    last = ["003" in (one.visible[1:4], one.infrared[1:4]) for one in found]
    assert last == [False] * 49 + [True] * 14


def test_the_tracklet_nearest_to_the_mean_speaks():
    pairs = tracklets(8, each=6, between=0.2, within=0.05)
    for one in CandidatePairs(*pairs).questions([]):
        for key, keys, rows in ((one.visible, *pairs[::2]), (one.infrared, *pairs[1::2])):
            own = [n for n, other in enumerate(keys) if other[1:4] == key[1:4]]
            near = rows[own] @ rows[own].mean(0)
            assert keys[own[int(near.argmax())]] == key


def test_one_modality_alone_leaves_nothing_to_ask():
    visible, _, rows, columns = tracklets()
    assert CandidatePairs(visible, [], rows, columns[:0]).questions([]) == []
    assert CandidatePairs([], visible, rows[:0], columns).questions([]) == []


def test_vectors_that_are_all_alike_are_asked_about_in_the_order_of_their_keys():
    rows = np.ones((3, 1), np.float16)
    found = CandidatePairs(["b", "a", "c"], ["e", "d", "f"], rows, rows).questions([])
    asked = [(one.visible, one.infrared) for one in found]
    assert len(asked) == 9
    assert asked == sorted(asked)
