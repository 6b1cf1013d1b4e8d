"""The order of questions, against the rule written out pair by pair."""

import math
from datetime import datetime, timezone

import numpy as np
import pytest
from vireid.pseudo_labels.identities import Identities
from vireid.pseudo_labels.judgements import Judgement
from vireid.pseudo_labels.questions import NEAREST, CandidatePairs

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


def people(count=12, dim=8, seed=0):
    """Vectors of people in two modalities, alike with some noise."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, dim))
    sides = [centres + 0.5 * rng.normal(size=(count, dim)) for _ in range(2)]
    sides = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in sides]
    return [f"v{n}" for n in range(count)], [f"i{n}" for n in range(count)], *sides


def judgement(number, first, second, answer):
    return Judgement(first, second, answer, NOW, number)


def plain(pairs, judgements):
    """Every open pair among the nearest, one for two identities, by the written rule."""
    visible, infrared, rows, columns = pairs
    scores = rows.astype(np.float32) @ columns.astype(np.float32).T
    near = [sorted(range(len(infrared)), key=lambda c: -scores[r, c]) for r in range(len(visible))]
    back = [sorted(range(len(visible)), key=lambda r: -scores[r, c]) for c in range(len(infrared))]
    known = Identities(judgements)
    listed = [
        (r, c)
        for r in range(len(visible))
        for c in range(len(infrared))
        if c in near[r][:NEAREST] or r in back[c][:NEAREST]
    ]
    mutual = {(r, c) for r, c in listed if near[r][0] == c and back[c][0] == r}
    middle = np.median([scores[pair] for pair in mutual])
    spread = np.std([scores[pair] for pair in listed])
    open_pairs = {}
    for r, c in listed:
        first, second = visible[r], infrared[c]
        if known.settled(first, second):
            continue
        chance = 1 / (1 + math.exp(-(scores[r, c] - middle) / spread))
        bits = -chance * math.log2(chance) - (1 - chance) * math.log2(1 - chance)
        worth = bits * known.size(first) * known.size(second)
        rank = ((r, c) not in mutual, -worth)
        names = frozenset((known.name(first), known.name(second)))
        if names not in open_pairs or rank < open_pairs[names][0]:
            open_pairs[names] = (rank, first, second)
    return sorted(open_pairs.values())


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_the_written_rule(seed):
    pairs = people(seed=seed)
    judgements = []
    candidates = CandidatePairs(*pairs)
    for number in range(1, 12):
        found = candidates.questions(judgements)
        expected = plain(pairs, judgements)
        assert [(one.visible, one.infrared) for one in found] == [one[1:] for one in expected]
        np.testing.assert_allclose(
            [one.worth for one in found], [-one[0][1] for one in expected], rtol=1e-4
        )
        first = found[0]
        answers = ("same", "different", "unsure")
        judgements.append(judgement(number, first.visible, first.infrared, answers[number % 3]))


def test_big_identities_go_first_and_are_asked_about_once():
    visible, infrared, rows, columns = people(4)
    rows, columns = np.repeat(rows[:1], 4, 0), np.repeat(columns[:1], 4, 0)
    candidates = CandidatePairs(visible, infrared, rows, columns)
    said = [
        judgement(1, "v2", "v3", "same"),
        judgement(2, "i2", "i3", "same"),
    ]
    # All scores are equal, so the mutual nearest are the first two, and go first.
    found = candidates.questions(said)
    assert (found[0].visible, found[0].infrared, found[0].mutual) == ("v0", "i0", True)
    assert {found[1].visible, found[1].infrared} <= {"v2", "v3", "i2", "i3"}
    assert found[1].worth == pytest.approx(4 * found[0].worth)
    names = [frozenset((min(q.visible, "v2"), min(q.infrared, "i2"))) for q in found]
    assert len(names) == len(set(names)) == 9


def test_the_threshold_is_the_middle_where_it_is_known():
    pairs = people()
    scores = np.sort((pairs[2] @ pairs[3].T).diagonal())
    found = CandidatePairs(*pairs, threshold=float(scores[-1])).questions([])
    mutual = [one for one in found if one.mutual]
    distances = [abs(one.score - scores[-1]) for one in mutual]
    assert distances == sorted(distances)
    assert len(mutual) > 3


def test_one_modality_alone_leaves_nothing_to_ask():
    visible, _, rows, columns = people()
    assert CandidatePairs(visible, [], rows, columns[:0]).questions([]) == []
    assert CandidatePairs([], visible, rows[:0], columns).questions([]) == []
