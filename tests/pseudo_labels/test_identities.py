"""Identities by a plain closure, contradictions with their chain, and a tracklet that leaves."""

from datetime import datetime, timezone

from hypothesis import given, settings
from hypothesis import strategies as st
from vireid.pseudo_labels.identities import Identities, split_off
from vireid.pseudo_labels.judgements import ANSWERS, Judgement

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)
PAIRS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")).filter(lambda p: p[0] < p[1]),
    st.sampled_from(ANSWERS),
    max_size=12,
)


def made(pairs):
    said = enumerate(pairs.items(), start=1)
    return [Judgement(*pair, answer, NOW, n) for n, (pair, answer) in said]


def closure(judgements):
    """Sets that are merged until nothing changes."""
    groups = [{key} for key in "abcdefg"]
    for one in judgements:
        if one.answer == "same":
            touched = [group for group in groups if group & {*one.pair}]
            groups = [group for group in groups if group not in touched]
            groups.append(set().union(*touched))
    return groups


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_identities_are_what_same_joins(pairs):
    judgements = made(pairs)
    found, groups = Identities(judgements), closure(judgements)
    assert {one.members for one in found.found} == {
        tuple(sorted(group)) for group in groups if len(group) > 1
    }
    numbers = [one.number for one in found.found]
    assert numbers == sorted(numbers)
    different = [one for one in judgements if one.answer == "different"]
    wrong = [one for one in different if any({*one.pair} <= group for group in groups)]
    assert [one.different for one in found.contradictions] == wrong
    for one in found.contradictions:
        place = one.different.first
        for link in one.chain:
            assert link in judgements and link.answer == "same"
            (place,) = {*link.pair} - {place}
        assert place == one.different.second
    for first in "abcdefg":
        for second in "abcdefg":
            a, b = (next(g for g in groups if key in g) for key in (first, second))
            parted = any(
                one.answer != "same"
                and {*one.pair} & a
                and {*one.pair} & b
                and {*one.pair} <= a | b
                for one in judgements
            )
            assert found.settled(first, second) == (a == b or parted)
            assert found.size(first) == len(a)


def test_the_chain_is_the_shortest():
    said = {"ab": "same", "bc": "same", "cd": "same", "ac": "same", "ad": "different"}
    (found,) = Identities(made({tuple(p): a for p, a in said.items()})).contradictions
    assert [link.pair for link in found.chain] == [("a", "c"), ("c", "d")]


@settings(max_examples=150, deadline=None)
@given(PAIRS, st.sampled_from("abcdefg"))
def test_a_tracklet_leaves_and_the_others_stay_together(pairs, key):
    before = Identities(made(pairs))
    changes = split_off(made(pairs), key)
    after_pairs = dict(pairs)
    for first, second, answer in changes:
        after_pairs[min(first, second), max(first, second)] = answer
    after = Identities(made(after_pairs))
    assert after.of(key) is None
    identity = before.of(key)
    if identity is None:
        assert not changes
        return
    others = [one for one in identity.members if one != key]
    if not before.contradictions:
        assert all(after.joined(others[0], other) for other in others)
        assert not after.contradictions
        assert all(after.settled(key, other) for other in others)
    # Nobody is joined who was not.
    for one in after.found:
        assert len({before.name(member) for member in one.members}) == 1
