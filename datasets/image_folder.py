"""Folders of single images, one for each person and camera: `<camera>/<4-digit id>/*.jpg`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import shorten
from ..reading import is_count, shortened
from .folder_scan import SUFFIXES, Problems, read_list
from .track import Modality, Track

Camera = tuple[str, int, Modality]
LONGEST_NUMBER = 5  # digits; a longer number is a time or a serial number, not a count


def image_track(root: Path, path: Path, modality: Modality, camera: int, identity: int) -> Track:
    """An image as a track of one frame, named by its path below the root."""
    return Track((path,), modality, camera, identity, path.relative_to(root).as_posix())


def folder_tracks(
    root: Path, people: Iterable[int], cameras: Sequence[Camera], problems: Problems
) -> list[Track]:
    """The images of some people in some cameras.

    Args:
        root: folder of the data set.
        people: person numbers, in the order wanted.
        cameras: folder relative to the root, number and modality of each.
        problems: takes complaints about folders that cannot be listed.

    Returns:
        A track an image, by person, then camera, then file name. A camera that has not seen a
        person has no folder of theirs, or an empty one.
    """
    return [
        image_track(root, path, modality, number, person)
        for person in people
        for folder, number, modality in cameras
        for path in _images(root / folder / f"{person:04d}", problems)
    ]


def _images(folder: Path, problems: Problems) -> list[Path]:
    try:
        names = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        problems.add(f"{folder} cannot be listed ({error.strerror}); make it readable")
        return []
    return sorted(path for path in names if path.suffix.lower() in SUFFIXES)


def read_identities(root: Path, name: str, problems: Problems) -> list[int]:
    """Person numbers, ascending, each once, of a file of comma-separated numbers below the root.

    It is a complaint if there is no such file, no number in it, or something else in it.
    """
    before = len(problems.found)
    people: set[int] = set()
    for number, line in enumerate(read_list(root, name, problems), start=1):
        for word in filter(None, map(str.strip, line.split(","))):
            if is_count(word):
                people.add(int(word))
            else:
                problems.add(
                    f"{root / name}:{number}: expected comma-separated person numbers; found "
                    f"{shortened(word)}. Copy the file again"
                )
    if not people and len(problems.found) == before:
        problems.add(f"{root / name} names no person; copy it from the original archive")
    return sorted(people)


def without_images(people: Iterable[int], tracks: Iterable[Track], listed_in: str) -> list[str]:
    """One sentence about people of a list of whom there is no image; none if all have one."""
    seen = {track.identity for track in tracks}
    missing = [person for person in people if person not in seen]
    if not missing:
        return []
    return [
        f"{len(missing)} people of {listed_in} have no image: {shorten(missing)}; if the counts "
        "differ, their folders were not copied"
    ]


def skipped_numbers(tracks: Iterable[Track]) -> list[str]:
    """Finds gaps in image numbers: the one trace that a deleted image leaves.

    Args:
        tracks: images whose names are numbers, counted from 1 in each folder; others are left out.

    Returns:
        One sentence with the first gaps; none without gaps.
    """
    found: dict[Path, dict[int, str]] = {}
    for track in tracks:
        (path,) = track.frames
        if is_count(path.stem) and len(path.stem) <= LONGEST_NUMBER:
            found.setdefault(path.parent, {})[int(path.stem)] = path.name
    gaps = []
    for folder, numbers in found.items():
        name = next(iter(numbers.values()))
        width, suffix = len(Path(name).stem), Path(name).suffix
        gaps += [
            (folder / f"{number:0{width}d}{suffix}").as_posix()
            for number in range(1, max(numbers))
            if number not in numbers
        ]
    if not gaps:
        return []
    return [
        f"{len(gaps):,} image numbers are skipped; if the counts differ, these are the images that "
        f"were not copied: {shorten(gaps, 5)}"
    ]
