"""What a reader found in a folder, and how it complains."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..reading import is_count, read_text
from .errors import DatasetError
from .track import Track

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}


class Problems:
    """Takes complaints: raises the first one, or collects them all for a verification.

    Attributes:
        found: the collected complaints.
    """

    def __init__(self, *, collect: bool = False) -> None:
        """Chooses whether to go on after a complaint."""
        self._collect = collect
        self.found: list[str] = []

    def add(self, message: str) -> None:
        """Takes a complaint: what was expected, what was found, where, and what to do.

        Raises:
            DatasetError: unless complaints are collected.
        """
        if not self._collect:
            raise DatasetError(message)
        self.found.append(message)


@dataclass
class Scan:
    """Tracks of a folder before and after a reader's filter.

    Attributes:
        listed: all tracks of each split, as the lists name them.
        used: the tracks of each split that the reader keeps.
        training: the splits that training takes.
        origins: track key to (list file relative to the root, line of its first frame, lines a
            frame), to say where a missing frame was asked for.
        suspicions: oddities that are complaints if the counts are wrong too, and notices otherwise.
        notices: oddities that are no complaint.
        numbered_apart: the same identity number means one person in training, another in the test.
        own_filter: `used` lacks other tracks than in publications, so its counts compare with none.
        own_frames: the frames are others than in publications, so their number compares with none.
    """

    listed: dict[str, list[Track]] = field(default_factory=dict)
    used: dict[str, list[Track]] = field(default_factory=dict)
    training: tuple[str, ...] = ("train",)
    origins: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    suspicions: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    numbered_apart: bool = False
    own_filter: bool = False
    own_frames: bool = False

    def use_all(self, min_frames: int = 0) -> None:
        """Keeps all listed tracks that have as many frames."""
        self.used = {
            split: [track for track in tracks if len(track.frames) >= min_frames]
            for split, tracks in self.listed.items()
        }

    def parts(self) -> tuple[list[Track], list[Track], list[Track]]:
        """Used tracks for training, query and gallery."""
        train = [track for split in self.training for track in self.used.get(split, [])]
        return train, self.used.get("query", []), self.used.get("gallery", [])


def read_list(root: Path, name: str, problems: Problems) -> list[str]:
    """Lines of a text file, `name` below the root, without their ends and blank ones at its end.

    There are none after a complaint: the file is missing, or no text.
    """
    path = root / name
    try:
        lines = read_text(path, "utf-8-sig").split("\n")
    except FileNotFoundError:
        problems.add(f"{path} is missing; copy it from the original archive")
        return []
    except OSError as error:
        problems.add(f"{path} cannot be read ({error.strerror}); copy it again")
        return []
    except ValueError as error:
        problems.add(f"{path} cannot be read as text ({error}); copy it again")
        return []
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def unique_key(key: str, number: int, taken: dict[str, tuple[str, int, int]]) -> str:
    """The key, or with its row number in its list, from 1, where another track has it already."""
    return f"{key}#{number}" if key in taken else key


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """A key that sorts files by name, numbers inside names by value: 2 before 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name)
    return [(int(p), "") if is_count(p) else (-1, p) for p in parts], path.name


def entries(folder: Path) -> list[Path]:
    """What a folder holds, in natural order, without hidden files.

    Raises:
        OSError: it cannot be listed.
    """
    return sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=natural_order)
