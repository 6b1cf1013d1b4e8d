"""Data of one's own, as plain folders.

    ROOT/<train|query|gallery>/<identity>/<visible|infrared>/<camera>/<tracklet>/<frames>
    ROOT/<train|query|gallery>/<identity>/<visible|infrared>/<camera>/<image>

A folder below the camera is a tracklet, its image files are the frames in natural order (2 before
10); an image file below the camera is a track of one frame. An identity folder named `unknown`
holds tracks of people whose identity is not known (training only). Query and gallery may hold both
modalities; each direction takes queries of one and the gallery of the other. Where both are
missing, nobody knows who is who: such a folder is trained on, and not ranked. `vireid crop` writes
one, and its table of crops says when each frame was taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ...errors import shorten
from ..crop_tables import PENDING, read_crop_times
from ..crop_tables import TRACKS as CROPS_TABLE
from ..folder_scan import SUFFIXES, Problems, Scan, entries
from ..layouts import check_layout
from ..registry import register_dataset
from ..spec import DatasetSpec
from ..track import Modality, Track

NAME = "folder"
SPLITS = ("train", "query", "gallery")
UNKNOWN = "unknown"
MODALITIES = {modality.name.lower(): modality for modality in Modality}

_Found = tuple[str, str, Modality, str, str, tuple[Path, ...]]


def scan_folder(root: Path, problems: Problems, *, min_frames: int = 1) -> Scan:
    """Lists the folders; opens no frame.

    Args:
        min_frames: shorter tracks are listed but not used.

    Returns:
        Splits train, query, gallery.
    """
    scan = Scan()
    labelled = any((root / split).exists() for split in SPLITS[1:])
    if not check_layout(root, NAME, SPLITS if labelled else SPLITS[:1], problems):
        return scan
    found: list[_Found] = []
    for split in SPLITS if labelled else SPLITS[:1]:
        for person in _folders(root / split, problems):
            if split != "train" and person.name == UNKNOWN:
                problems.add(f"{person}: people of {split} need an identity; remove the folder")
                continue
            found += _person(split, person, problems)
    numbers = _number({name for _, name, *_ in found if name != UNKNOWN}, r"[0-9]{1,18}")
    cameras = _number({camera for *_, camera, _, _ in found}, r"\D*([0-9]{1,18})")
    scan.listed = {split: [] for split in SPLITS}
    if (root / PENDING).exists():
        problems.add(
            f"{root}: `vireid crop` was interrupted before all tracklets were written; give the "
            f"same command again, or remove {PENDING} there to do without the rest and its times"
        )
    times, missing = read_crop_times(root), list[str]()
    for split, name, modality, camera, tracklet, frames in found:
        key = f"{split}/{name}/{modality.name.lower()}/{camera}/{tracklet}"
        identity = None if name == UNKNOWN else numbers[name]
        seen = times.pop((modality.name.lower(), camera, tracklet), {})
        missing += sorted(seen.keys() - {frame.name for frame in frames})
        known = all(frame.name in seen for frame in frames)
        moments = tuple(seen[frame.name] for frame in frames) if known else ()
        scan.listed[split].append(Track(frames, modality, cameras[camera], identity, key, moments))
    if missing:
        problems.add(
            f"{root}: {len(missing):,} crops of {CROPS_TABLE} are missing: {shorten(missing)}; "
            "copy them again, or crop the footage into another folder"
        )
    if times:
        scan.notices.append(
            f"{len(times):,} tracklets of {CROPS_TABLE} are no longer there: "
            f"{shorten(['/'.join(name) for name in times], 4)}"
        )
    if not labelled:
        scan.notices.append("no query and no gallery: nothing is ranked that takes identities")
    scan.use_all(min_frames)
    return scan


def _person(split: str, person: Path, problems: Problems) -> Iterable[_Found]:
    for kind in _folders(person, problems):
        if kind.name not in MODALITIES:
            problems.add(
                f"{kind}: expected a folder named visible or infrared; rename or remove it"
            )
            continue
        for camera in _folders(kind, problems):
            where = (split, person.name, MODALITIES[kind.name], camera.name)
            for entry in entries(camera):
                if not entry.is_dir():
                    if entry.suffix.lower() in SUFFIXES:
                        yield (*where, entry.name, (entry,))
                    continue
                frames = tuple(p for p in entries(entry) if p.suffix.lower() in SUFFIXES)
                if frames:
                    yield (*where, entry.name, frames)
                else:
                    problems.add(f"{entry}: the tracklet has no image files; fill or remove it")


def _folders(folder: Path, problems: Problems) -> list[Path]:
    if not folder.is_dir():
        problems.add(f"{folder}: expected a folder")
        return []
    return [path for path in entries(folder) if path.is_dir()]


def _number(names: set[str], pattern: str) -> dict[str, int]:
    """The number in each name, or its place in the sorted list if numbers are missing or clash."""
    ordered = sorted(names)
    matches = [re.fullmatch(pattern, name) for name in ordered]
    numbers = [int(match.group(match.lastindex or 0)) for match in matches if match]
    if len(set(numbers)) < len(ordered):
        numbers = list(range(len(ordered)))
    return dict(zip(ordered, numbers))


def camera_name(track: Track) -> str:
    """The folder of a track's camera.

    Args:
        track: as :func:`scan_folder` gives it.
    """
    return track.key.split("/")[3]


register_dataset(
    DatasetSpec(
        name=NAME,
        scan=scan_folder,
        marks=("train",),
        needs_test=False,
        camera_name=camera_name,
    )
)
