"""What the page asks for and says: plain values from an index and its judgements, ready for JSON.

The index may grow, or forget, while the page is open: each request looks at its newest version.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...datasets.track import Modality
from ...errors import UserError
from ...pseudo_labels.identities import Identities, split_off
from ...pseudo_labels.judgements import (
    ANSWERS,
    FILE,
    judge,
    read_judgements,
    undo,
)
from ...pseudo_labels.questions import CandidatePairs
from ...reading import is_whole, shortened, visible
from ..conditions import Filter, one_of, quoted
from ..decisions import Calibration, calibration_for, statements
from ..index_folder import IndexFolder, open_index
from ..search import queries_where, search_index
from .catalogue import Catalogue, Seen
from .views import Values, in_parts, standing, told, tracklet_views

ASKED = 2000  # tracklets of a modality among which questions are chosen
IDENTITIES, MEMBERS, JUDGEMENTS = 20, 24, 50  # of each so many are shown at once


class Missing(UserError):
    """A tracklet that the index does not hold, any more or at all."""


class Session:
    """One index that is looked through.

    Args:
        index: open.
        top: candidates of a tracklet.
        fpir: share of searches for a stranger that may name somebody.
        ask: whether the page begins with questions.

    Raises:
        UserError: the index, its calibration or its judgements are damaged.
    """

    def __init__(
        self, index: IndexFolder, *, top: int = 12, fpir: float = 0.01, ask: bool = False
    ) -> None:
        self._index, self._top, self._fpir, self._ask = index, top, fpir, ask
        self._file = index.path / FILE
        self._one_at_a_time = threading.Lock()
        self._version = -1
        self._calibration, self.notes = self._decisions()
        self._look()
        read_judgements(self._file)

    def _decisions(self) -> tuple[Calibration | None, list[str]]:
        facts = self._index.facts
        found, note = calibration_for(
            self._index.path, Path(facts.run), facts.fingerprint, facts.projection
        )
        return found, statements(found, note, self._fpir)

    def _look(self) -> None:
        """Takes over what another process has written to the index."""
        version = self._index.store.refresh()
        if version != self._version:
            self._index = open_index(self._index.path)
            self._catalogue = Catalogue(self._index.store)
            self._pairs: CandidatePairs | None = None
            self._version = version

    def answer(self, name: str, values: Values) -> Values:
        """Answers one request.

        Args:
            name: one of ``READ`` or ``WRITE``.
            values: what came with it.

        Raises:
            UserError, OSError: for the person at the page.
            ValueError: the request is malformed.
        """
        function: Callable[[Session, Values], Values] = {**READ, **WRITE}[name]
        with self._one_at_a_time:
            self._look()
            return function(self, values)

    def about(self, values: Values) -> Values:
        """What the index is."""
        return {
            "name": visible(self._index.path.absolute().name),
            "tracklets": len(self._catalogue),
            "cameras": [{"name": n, "shown": visible(n)} for n in self._catalogue.cameras],
            "notes": self.notes,
            "ask": self._ask,
        }

    def timeline(self, values: Values) -> Values:
        """A page of tracklets: ``position`` or ``around``; ``camera``, ``modality``, ``find``."""
        page = self._catalogue.page(
            _whole(values.get("position", 0)),
            *(_text(values, name) for name in ("camera", "modality", "find", "around")),
        )
        known = Identities(read_judgements(self._file))
        return {
            "tracklets": self._views(page.tracklets, known),
            "position": page.position,
            "total": page.total,
            "bins": page.bins,
            "firsts": page.firsts,
        }

    def tracklet(self, values: Values) -> Values:
        """A tracklet by its ``key``, and its best candidates of a ``modality``."""
        key = self._there(values, "key")
        judgements = read_judgements(self._file)
        known = Identities(judgements)
        query = queries_where(self._index, f"key = {quoted(key)}")[0]
        chosen = _text(values, "modality") or "other"
        if chosen not in ("other", "visible", "infrared"):
            raise ValueError("modality: expected other, visible or infrared")
        modality = None if chosen == "other" else Modality[chosen.upper()]
        (found,) = search_index(
            self._index,
            [query],
            Filter(modality=modality),
            top=self._top,
            calibration=self._calibration,
            fpir=self._fpir,
        )
        said = {one.pair: one for one in judgements}
        seen = [self._seen(one.key) for one in found.candidates]
        views = self._views([self._seen(key), *seen], known)
        candidates = [
            {
                **view,
                "score": one.score,
                "decision": one.decision,
                **standing(said, known, key, one.key),
            }
            for view, one in zip(views[1:], found.candidates)
        ]
        return {"tracklet": views[0], "candidates": candidates, "searched": found.searched}

    def question(self, values: Values) -> Values:
        """The most informative open pair but ``skip``."""
        if self._pairs is None:
            self._pairs = self._candidate_pairs()
        pairs = self._pairs
        judgements = read_judgements(self._file)
        known = Identities(judgements)
        found = pairs.questions(judgements)
        skip = _whole(values.get("skip", 0))
        result: Values = {
            "left": len(found),
            "among": [len(pairs.visible), len(pairs.infrared)],
            "question": None,
        }
        if skip < len(found):
            one = found[skip]
            views = self._views([self._seen(one.visible), self._seen(one.infrared)], known)
            result["question"] = {
                "visible": views[0],
                "infrared": views[1],
                "score": one.score,
                "settles": known.size(one.visible) * known.size(one.infrared),
            }
        return result

    def people(self, values: Values) -> Values:
        """Identities from ``position``, all contradictions, and the last judgements."""
        judgements = read_judgements(self._file)
        known = Identities(judgements)
        position = _whole(values.get("position", 0))
        shown = known.found[position : position + IDENTITIES]
        members = [[self._seen(key) for key in one.members[:MEMBERS]] for one in shown]
        views = iter(self._views([seen for group in members for seen in group], known))
        return {
            "total": len(known.found),
            "position": position,
            "identities": [
                {
                    "number": one.number,
                    "size": len(one.members),
                    "members": [next(views) for _ in group],
                }
                for one, group in zip(shown, members)
            ],
            "contradictions": [
                {"different": told(one.different), "chain": [told(link) for link in one.chain]}
                for one in known.contradictions
            ],
            "judgements": [told(one) for one in judgements[: -JUDGEMENTS - 1 : -1]],
            "judged": len(judgements),
        }

    def judge(self, values: Values) -> Values:
        """Keeps an ``answer`` about ``first`` and ``second``."""
        first, second = self._there(values, "first"), self._there(values, "second")
        answer = values.get("answer")
        if answer not in ANSWERS:
            raise ValueError(f"answer: expected one of {', '.join(ANSWERS)}")
        return {"numbers": [judge(self._file, first, second, answer).number]}

    def split(self, values: Values) -> Values:
        """Takes the tracklet ``key`` out of its identity."""
        changes = split_off(read_judgements(self._file), self._there(values, "key"))
        return {"numbers": [judge(self._file, *change).number for change in changes]}

    def undo(self, values: Values) -> Values:
        """Takes judgements back: those of ``numbers``, or the last one that stands."""
        numbers = values.get("numbers")
        if numbers is None:
            numbers = [one.number for one in read_judgements(self._file)]
            numbers = [max(numbers)] if numbers else []
        if not isinstance(numbers, list) or not all(map(is_whole, numbers)):
            raise ValueError("numbers: expected numbers of judgements")
        return {"undone": [told(undo(self._file, number)) for number in sorted(numbers)[::-1]]}

    def _there(self, values: Values, name: str) -> str:
        """A key that came with a request, of a tracklet that is in the index."""
        key = _text(values, name)
        if key not in self._catalogue:
            raise Missing(f"the index holds no tracklet {shortened(key)}, or has forgotten it")
        return key

    def _seen(self, key: str) -> Seen:
        if key in self._catalogue:
            return self._catalogue.get(key)
        return Seen(key, "", "", None, None)  # of an index that was put back from a copy

    def _views(self, tracklets: Sequence[Seen], known: Identities) -> list[Values]:
        return tracklet_views(self._index.store, tracklets, known)

    def _candidate_pairs(self) -> CandidatePairs:
        seen, warm = (self._catalogue.of_modality(one, ASKED) for one in ("visible", "infrared"))
        return CandidatePairs(seen, warm, self._vectors(seen), self._vectors(warm))

    def _vectors(self, keys: Sequence[str]) -> NDArray[np.float16]:
        dim = self._index.facts.dim
        places = {key: place for place, key in enumerate(keys)}
        vectors = np.zeros((len(keys), dim), np.float16)
        for part in in_parts(keys):
            for batch in self._index.store.batches(one_of("key", part), ("key", "vector")):
                found = np.asarray(batch.column("vector").flatten()).reshape(-1, dim)
                vectors[[places[key] for key in batch.column("key").to_pylist()]] = found
        return vectors


READ: dict[str, Callable[[Session, Values], Values]] = {
    "about": Session.about,
    "timeline": Session.timeline,
    "tracklet": Session.tracklet,
    "question": Session.question,
    "people": Session.people,
}
WRITE: dict[str, Callable[[Session, Values], Values]] = {
    "judge": Session.judge,
    "split": Session.split,
    "undo": Session.undo,
}


def _text(values: Values, name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected a text")
    return value


def _whole(value: Any) -> int:
    text = str(value)
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise ValueError(f"expected a number from 0, found {shortened(value)}")
    return int(text)
