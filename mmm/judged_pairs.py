"""A person's judgements of pairs of training tracks, as stage two trains with them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..clustering.constraints import Contradiction, PairConstraints, close_constraints
from ..datasets.track import Track
from ..distributed import ranks
from ..engine.run_folder import RunFolder
from ..errors import UserError
from ..files import write_whole
from ..pseudo_labels.judgements import FILE, Judgement, read_judgements
from .given_labels import DECISIONS, decisions_path

FLAG = f"--semi-supervised {DECISIONS}"


@dataclass(frozen=True)
class JudgedPairs:
    """Judgements that a training goes by.

    Attributes:
        used: those of two training tracks that say same or different, in the order of the file.
        constraints: what follows from them for the N training tracks.
        unsure: judgements of training tracks that say neither.
        outside: judgements about a track that is not in the training split.
    """

    used: tuple[Judgement, ...]
    constraints: PairConstraints
    unsure: int
    outside: int

    def counts(self) -> dict[str, int]:
        """What the run's record says, by name."""
        same = sum(one.answer == "same" for one in self.used)
        return {
            "same": same,
            "different": len(self.used) - same,
            "unsure": self.unsure,
            "outside": self.outside,
            "tracks": int((self.constraints.components >= 0).sum()),
            "components": int(self.constraints.components.max(initial=-1)) + 1,
        }

    def text(self) -> str:
        """The counts as one sentence."""
        count = self.counts()
        return (
            f"{len(self.used)} judged pairs of training tracks ({count['same']} same, "
            f"{count['different']} different) link or part {count['tracks']} tracks as "
            f"{count['components']} people or pieces of one; left out: {count['unsure']} unsure, "
            f"{count['outside']} about tracks outside the training split"
        )

    def lines(self) -> str:
        """The used judgements as a file that can be given instead of the index."""
        rows = [
            {
                "id": one.number,
                "time": one.time.isoformat(),
                "first": one.first,
                "second": one.second,
                "answer": one.answer,
            }
            for one in self.used
        ]
        return "".join(f"{json.dumps(row)}\n" for row in rows)


def read_judged_pairs(path: Path, keys: Sequence[str]) -> JudgedPairs:
    """Reads the judgements that fit the training tracks.

    A key of the index is a track's key, or ends in a slash and a track's key, since an index may
    put a prefix before it.

    Args:
        path: index folder, or a file of judgements.
        keys: of the N training tracks.

    Raises:
        UserError: there is no such file, or it is broken; no judgement fits the training tracks;
            two keys of the index fit one track; or the judgements contradict each other.
    """
    file = judgements_file(path)
    judgements = read_judgements(file)
    place = _places(judgements, keys, file)
    inside = [one for one in judgements if one.first in place and one.second in place]
    used = tuple(one for one in inside if one.answer != "unsure")
    if not used:
        raise UserError(_nothing_fits(file, judgements, len(inside), keys))
    pairs = {
        answer: [(place[one.first], place[one.second]) for one in used if one.answer == answer]
        for answer in ("same", "different")
    }
    try:
        constraints = close_constraints(len(keys), pairs["same"], pairs["different"])
    except Contradiction as found:
        raise UserError(_contradiction(file, found.chain, used, place)) from None
    outside = len(judgements) - len(inside)
    return JudgedPairs(used, constraints, len(inside) - len(used), outside)


def judgements_file(path: Path) -> Path:
    """The file of judgements that ``decisions:INDEX`` names.

    Args:
        path: index folder, or the file itself.

    Raises:
        UserError: there is none.
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"{FLAG}{path}: there is no {file}. Expected an index whose pairs were judged in "
            "`vireid browse`, or the file of judgements itself"
        )
    return file


def judgements_of_run(
    text: str | None, tracks: Sequence[Track], run: RunFolder
) -> PairConstraints | None:
    """What judgements ask of the training tracks; None where the setting names none.

    A run keeps a copy of those that it uses, and goes on with that, whatever is judged meanwhile.

    Args:
        text: the setting of ``--semi-supervised``.
        tracks: the N training tracks.
        run: takes the copy, and the counts.

    Raises:
        UserError: see :func:`read_judged_pairs`.
    """
    path = decisions_path(text)
    if path is None:
        return None
    source = run.path / FILE if run.resumed else path
    keys = [track.key for track in tracks]
    judged = ranks.from_main(lambda: read_judged_pairs(source, keys))
    if ranks.is_main() and not run.resumed:
        write_whole(run.path / FILE, judged.lines())
        run.record("judgements", source=str(path), **judged.counts())
        run.log(f"semi-supervised: {judged.text()}")
    return judged.constraints


def _places(judgements: Sequence[Judgement], keys: Sequence[str], file: Path) -> dict[str, int]:
    """Training track of each key that is judged and has one."""
    number = {key: i for i, key in enumerate(keys)}
    place: dict[str, int] = {}
    owner: dict[int, str] = {}
    for key in sorted({key for one in judgements for key in (one.first, one.second)}):
        fitting = _fitting(key, number)
        if fitting is None:
            continue
        other = owner.setdefault(fitting, key)
        if other != key:
            raise UserError(
                f"{file}: {other} and {key} both fit the training track {keys[fitting]}, and only "
                "one of them can be it. Leave the judgements of the other folder out of a copy of "
                f"the file, and give that: {FLAG}FILE"
            )
        place[key] = fitting
    return place


def _fitting(key: str, number: Mapping[str, int]) -> int | None:
    """The track whose key this is, or ends in; the longest of several."""
    rest, slash = key, "/"
    while slash:
        if rest in number:
            return number[rest]
        _, slash, rest = rest.partition("/")
    return None


def _nothing_fits(
    file: Path, judgements: Sequence[Judgement], inside: int, keys: Sequence[str]
) -> str:
    if not judgements:
        return f"{file} holds no judgement that stands. Judge pairs in `vireid browse` first"
    if inside:
        return (
            f"{file}: all {inside} judgements of training tracks say unsure, which teaches nothing"
        )
    return (
        f"{file}: none of its {len(judgements)} judgements is about two training tracks. It names "
        f"tracks like {judgements[0].first}, the training split has tracks like {min(keys)}. Index "
        "the training tracks, or give the --dataset and --data-dir that were indexed"
    )


def _contradiction(
    file: Path, chain: Sequence[int], used: Sequence[Judgement], place: Mapping[str, int]
) -> str:
    """The judgements on the way from one of the two tracks to the other, each with its number."""

    def said(answer: str, first: int, second: int) -> str:
        pair = {first, second}
        one = next(
            one
            for one in used
            if one.answer == answer and {place[one.first], place[one.second]} == pair
        )
        return f"  {one.number}: {one.first} and {one.second}: {answer}"

    links = [said("same", a, b) for a, b in itertools.pairwise(chain)]
    lines = "\n".join([*links, said("different", chain[0], chain[-1])])
    return (
        f"{file}: these judgements cannot all be right:\n{lines}\n"
        "Only you can say which is wrong: take it back in `vireid browse`"
    )
