"""Lists of single images: `path label` a line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .folder_scan import Problems, read_list

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


def read_image_list(root: Path, name: str, problems: Problems) -> list[ListedImage]:
    """Reads a list of images.

    Args:
        root: folder of the data set.
        name: the list, relative to it.
        problems: takes complaints with file and line.

    Returns:
        The lines without a complaint, in the order of the file.
    """
    rows = []
    for number, line in enumerate(read_list(root, name, problems), start=1):
        words = line.replace("\\", "/").rsplit(maxsplit=1)
        path = PurePosixPath(words[0].strip()) if len(words) == 2 else PurePosixPath("/")
        below = not path.is_absolute() and ".." not in path.parts
        if not below or not words[-1].isdecimal():
            problems.add(
                f"{root / name}:{number}: expected {ROW}; found {line!r}. Copy the file again"
            )
            continue
        rows.append(ListedImage(path, int(words[1]), number))
    return rows


def compare_labels(lists: dict[str, list[ListedImage]], root: Path) -> list[str]:
    """Finds people with two numbers, and numbers of two people, in lists that belong together.

    Args:
        lists: file name to its lines; numbers mean the same in all of them.
        root: folder of the data set, for the message.

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
    """Whether training and test use the same numbers for different people.

    Args:
        train: lines of the training lists.
        test: lines of the test lists.

    Returns:
        True if numbers are shared and folders are not.
    """
    shared = {row.identity for row in train} & {row.identity for row in test}
    return bool(shared) and not {row.person for row in train} & {row.person for row in test}
