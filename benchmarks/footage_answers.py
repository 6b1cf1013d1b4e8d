"""How right the answers of ``vireid search`` are on a rendered scene, where the truth is known.

    python -m benchmarks.footage_answers SCENE CROPS ANSWERS.jsonl

The scene is of ``vireid synth --video``, the crops of ``vireid crop``, the answers of ``vireid
search --format jsonl`` with a ``--top`` that shows every tracklet that was ranked.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vireid.datasets.crop_tables import TRACKS
from vireid.synthetic.scene_video import TRUTH_TABLE

Name = tuple[str, str]  # camera and tracklet
Truth = Mapping[Name, int | None]


def people_of(scene: Path, crops: Path) -> dict[Name, int | None]:
    """Whom most crops of each tracklet show; None: nobody.

    Args:
        scene: folder of the scene.
        crops: folder of its crops.
    """
    with (scene / TRUTH_TABLE).open(newline="") as file:
        shown = {
            (row["camera"], row["track"], row["frame"]): row["person"]
            for row in csv.DictReader(file)
        }
    seen: dict[Name, Counter[str]] = {}
    with (crops / TRACKS).open(newline="") as file:
        for row in csv.DictReader(file):
            person = shown[row["camera"], row["track"], row["frame"]]
            seen.setdefault((row["camera"], row["tracklet"]), Counter())[person] += 1
    most = {name: counts.most_common(1)[0][0] for name, counts in seen.items()}
    return {name: int(person) if person else None for name, person in most.items()}


@dataclass(frozen=True)
class Searched:
    """One search, and the truth of it.

    Attributes:
        direction: modality of the query and of the candidates.
        right: of each candidate, in their order, whether it shows the person.
        named: of each candidate, whether the decision is `same`.
    """

    direction: str
    right: Sequence[bool]
    named: Sequence[bool]

    @property
    def mated(self) -> bool:
        """Whether the person is among the candidates."""
        return any(self.right)


def read_searches(answers: Path, truth: Truth) -> list[Searched]:
    """Searches of a file of JSON lines; those for nobody, a tracker's ghost, are left out.

    Args:
        answers: the file.
        truth: who each tracklet shows.
    """
    found: dict[str, list[dict[str, str]]] = {}
    for line in answers.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        found.setdefault(one["query"], []).append(one)
    searches = []
    for query, candidates in found.items():
        person = truth[name_of(query)]
        if person is None:
            continue
        other = candidates[0]["modality"]
        asked = "visible" if other == "infrared" else "infrared"
        right = [truth[name_of(one["key"])] == person for one in candidates]
        named = [one["decision"] == "same" for one in candidates]
        searches.append(Searched(f"{asked} to {other}", right, named))
    return searches


def name_of(key: str) -> Name:
    """Camera and tracklet of a key.

    Args:
        key: of a tracklet of the crops.
    """
    camera, tracklet = key.split("/")[-2:]
    return camera, tracklet


def table(searches: Sequence[Searched]) -> str:
    """What the answers are worth, a column a direction.

    Args:
        searches: of all directions.
    """
    directions = sorted({one.direction for one in searches}, reverse=True)
    columns = [_column([s for s in searches if s.direction == one]) for one in directions]
    width = max(len(name) for name in columns[0])
    lines = [" " * width + "".join(f"  {one:>20}" for one in directions)]
    lines += [
        f"{name:<{width}}" + "".join(f"  {column[name]:>20}" for column in columns)
        for name in columns[0]
    ]
    return "\n".join(lines)


def _column(searches: Sequence[Searched]) -> dict[str, str]:
    mated = [one for one in searches if one.mated]
    first = sum(one.right[0] for one in mated)
    five = sum(any(one.right[:5]) for one in mated)
    chance = sum(sum(one.right) / len(one.right) for one in mated)
    named = [right for one in searches for right, said in zip(one.right, one.named) if said]
    silent = [one for one in searches if not any(one.named)]
    strangers = [one for one in searches if not one.mated]
    return {
        "searches for somebody who is there": f"{len(mated)}",
        "  the first candidate is right (rank-1)": _share(first, len(mated)),
        "  by chance it would be": _share(chance, len(mated)),
        "  one of the first five is right": _share(five, len(mated)),
        "searches for somebody who is not there": f"{len(strangers)}",
        "  that name nobody, as they should": _share(
            sum(not any(one.named) for one in strangers), len(strangers)
        ),
        "candidates called same": f"{len(named)}",
        "  that are the same person": _share(sum(named), len(named)),
        "searches that end with unknown": f"{len(silent)}",
        "  for somebody who is not there": _share(
            sum(not one.mated for one in silent), len(silent)
        ),
    }


def _share(part: float, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def main() -> None:
    """Prints the table."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("scene", type=Path, help="rendered by vireid synth --video")
    flags.add_argument("crops", type=Path, help="its crops")
    flags.add_argument("answers", type=Path, nargs="+", help="of vireid search --format jsonl")
    given = flags.parse_args()
    truth = people_of(given.scene, given.crops)
    print(table([one for file in given.answers for one in read_searches(file, truth)]))


if __name__ == "__main__":
    main()
