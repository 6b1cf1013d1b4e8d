"""Lists of single images: `path label` a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..reading import inside, is_count, shortened
from .folder_scan import Problems, Scan, read_list, unique_key
from .track import Modality, Track

ROW = "an image below the data folder and a person number"


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A line of a list.

    Attributes:
        path: image, relative to the root.
        identity: the number beside it.
        line: its line, from 1.
    """

    path: PurePosixPath
    identity: int
    line: int

    @property
    def person(self) -> str:
        """The folder that holds the image: one for each person."""
        return self.path.parent.name

    def track(self, root: Path, name: str, modality: Modality, camera: int, scan: Scan) -> Track:
        """The image as a track of one frame; notes in the scan that the file `name` lists it."""
        key = unique_key(self.path.as_posix(), self.line, scan.origins)
        scan.origins[key] = (name, self.line, 0)
        return Track((root / self.path,), modality, camera, self.identity, key)


def read_image_list(root: Path, name: str, problems: Problems) -> list[ListedImage]:
    """The lines without a complaint, in their order, of a list of images below the root."""
    rows = []
    for number, line in enumerate(read_list(root, name, problems), start=1):
        words = line.replace("\\", "/").rsplit(maxsplit=1)
        path = PurePosixPath(words[0].strip()) if len(words) == 2 else PurePosixPath("/")
        below = inside(path.as_posix())
        if not below or not is_count(words[-1]):
            problems.add(
                f"{root / name}:{number}: expected {ROW}; found {shortened(line)}. "
                "Copy the file again"
            )
            continue
        rows.append(ListedImage(path, int(words[1]), number))
    return rows


def compare_labels(lists: dict[str, list[ListedImage]], root: Path) -> list[str]:
    """Finds people with two numbers, and numbers of two people, in lists that belong together.

    Args:
        lists: file name to its lines; numbers mean the same in all of them.
        root: for the message.

    Returns:
        A sentence for the first contradiction of each list.
    """
    numbers: dict[str, tuple[int, str]] = {}
    people: dict[int, tuple[str, str]] = {}
    said = []
    for name, rows in lists.items():
        for row in rows:
            place = f"{root / name}:{row.line}"
            number, first = numbers.setdefault(row.person, (row.identity, place))
            person, other = people.setdefault(row.identity, (row.person, place))
            if number != row.identity:
                said.append(
                    f"{place}: folder {row.person} has number {row.identity}, but {number} in "
                    f"{first}; the lists are of two versions, copy idx/ again"
                )
                break
            if person != row.person:
                said.append(
                    f"{place}: number {row.identity} stands for folder {row.person}, but for "
                    f"{person} in {other}; the lists are of two versions, copy idx/ again"
                )
                break
    return said


def numbered_apart(train: list[ListedImage], test: list[ListedImage]) -> bool:
    """Whether training and test share numbers but no folders: one number, different people."""
    shared = {row.identity for row in train} & {row.identity for row in test}
    return bool(shared) and not {row.person for row in train} & {row.person for row in test}
