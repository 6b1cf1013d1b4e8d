"""Identities that follow from judgements: tracklets that a chain of *same* joins.

*Different* keeps two identities apart; *unsure* says nothing. Where a chain of *same* joins two
tracklets that were said to be different, one of the judgements is wrong, and nobody but the person
who gave them can say which: the contradiction is handed on with its chain, and nothing is dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .judgements import Answer, Judgement


@dataclass(frozen=True)
class Identity:
    """Tracklets of one person.

    Attributes:
        number: of the oldest judgement that joins two of them; a name until that is taken back.
        members: their keys, at least two, sorted.
    """

    number: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Contradiction:
    """Two tracklets that are different, and the same.

    Attributes:
        different: the judgement that parts them.
        chain: the fewest judgements *same* that join the one to the other, in this order.
    """

    different: Judgement
    chain: tuple[Judgement, ...]


class Identities:
    """What standing judgements say together.

    Args:
        judgements: those that stand, one a pair.

    Attributes:
        found: the identities, oldest first.
        contradictions: in the order of the judgements that part.
    """

    def __init__(self, judgements: Iterable[Judgement]) -> None:
        said = list(judgements)
        self._links: dict[str, list[Judgement]] = {}
        for one in said:
            if one.answer == "same":
                for key in one.pair:
                    self._links.setdefault(key, []).append(one)
        self._identity: dict[str, Identity] = {}
        self.found: list[Identity] = []
        for one in sorted(said, key=lambda one: one.number):
            if one.answer == "same" and one.first not in self._identity:
                reached = set(_reached(self._links, one.first))
                identity = Identity(one.number, tuple(sorted(reached)))
                self.found.append(identity)
                self._identity |= dict.fromkeys(reached, identity)
        self.contradictions = [
            Contradiction(one, self.chain(one.first, one.second))
            for one in said
            if one.answer == "different" and self.joined(one.first, one.second)
        ]
        self._settled = {
            frozenset((self.name(one.first), self.name(one.second)))
            for one in said
            if one.answer != "same"
        }

    def of(self, key: str) -> Identity | None:
        """The identity of a tracklet; None while it is joined to no other.

        Args:
            key: of the tracklet.
        """
        return self._identity.get(key)

    def name(self, key: str) -> int | str:
        """What all tracklets of an identity share: its number, or the key of one that is alone.

        Args:
            key: of a tracklet.
        """
        identity = self._identity.get(key)
        return key if identity is None else identity.number

    def size(self, key: str) -> int:
        """Tracklets of an identity.

        Args:
            key: of one of them.
        """
        identity = self._identity.get(key)
        return 1 if identity is None else len(identity.members)

    def joined(self, first: str, second: str) -> bool:
        """Whether a chain of *same* joins two tracklets.

        Args:
            first, second: their keys.
        """
        return self.name(first) == self.name(second)

    def settled(self, first: str, second: str) -> bool:
        """Whether a question about two tracklets is answered, by them or others of their two.

        Args:
            first, second: their keys. An *unsure* about two identities counts as an answer.
        """
        pair = frozenset((self.name(first), self.name(second)))
        return len(pair) == 1 or pair in self._settled

    def chain(self, first: str, second: str) -> tuple[Judgement, ...]:
        """The fewest judgements *same* from one tracklet to another of its identity.

        Args:
            first, second: their keys.
        """
        came = _reached(self._links, first)
        chain: list[Judgement] = []
        while second != first:
            link = came[second]
            assert link is not None
            chain.append(link)
            second = link.first if link.second == second else link.second
        return tuple(reversed(chain))


def split_off(judgements: Sequence[Judgement], key: str) -> list[tuple[str, str, Answer]]:
    """What is to be judged so that a tracklet leaves its identity, and the others stay together.

    It becomes *different* from each that it was judged the *same* as. Where the others were joined
    through it alone, a *same* between two of them takes its place.

    Args:
        judgements: those that stand.
        key: of the tracklet.

    Returns:
        Pairs with answers; none if no judgement joins it to another.
    """
    said = {one.pair: one.answer for one in judgements}
    partners = sorted({k for p, a in said.items() if a == "same" and key in p for k in p} - {key})
    changes: list[tuple[str, str, Answer]] = [(key, other, "different") for other in partners]
    rest = Identities(one for one in judgements if key not in one.pair)
    groups: dict[int | str, list[str]] = {}
    for other in partners:
        identity = rest.of(other)
        groups[rest.name(other)] = list(identity.members) if identity else [other]
    first, *others = [*groups.values()] or [[]]
    for group in others:
        pairs = [(a, b) for a in first for b in group]
        given = [said.get((min(pair), max(pair))) for pair in pairs]
        # What nobody judged before what somebody was unsure of; *different* stays as it is.
        free = [pair for wanted in (None, "unsure") for pair, a in zip(pairs, given) if a == wanted]
        if free:
            changes.append((*free[0], "same"))
            first = [*first, *group]
    return changes


def _reached(links: dict[str, list[Judgement]], start: str) -> dict[str, Judgement | None]:
    """Tracklets that a chain joins to one, each with the last link of its shortest chain."""
    came: dict[str, Judgement | None] = {start: None}
    waiting = deque([start])
    while waiting:
        key = waiting.popleft()
        for link in links.get(key, ()):
            other = link.first if link.second == key else link.second
            if other not in came:
                came[other] = link
                waiting.append(other)
    return came
