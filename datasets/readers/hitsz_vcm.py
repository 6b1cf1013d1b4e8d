"""HITSZ-VCM (video): Lin et al., "Learning modal-invariant and temporal-memory for video-based
visible-infrared person re-identification", CVPR 2022.

`Train/` and `Test/` hold the frames, `info/` five lists. A line of `*_name.txt` names a frame, a
line of `track_*_info.txt` a track by its first and last line there, and `query_IDX.txt` the rows of
the test tracks that are queries (the infrared ones); the others are the gallery.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...reading import shortened, whole_number
from ..folder_scan import Problems, Scan, read_list, unique_key
from ..layouts import check_layout
from ..registry import register_dataset
from ..spec import Counts, DatasetSpec, PublishedResult
from ..track import Modality, Track

NAME = "hitsz-vcm"
MIN_FRAMES = 12
QUERY_FILE = "info/query_IDX.txt"
FILES = (
    "info/train_name.txt",
    "info/track_train_info.txt",
    "info/test_name.txt",
    "info/track_test_info.txt",
    QUERY_FILE,
)
MODALITIES = {1: Modality.INFRARED, 2: Modality.VISIBLE}
FOLDERS = {Modality.INFRARED: "ir", Modality.VISIBLE: "rgb"}
# No slash in what becomes a file name: a list leads to no other folder.
FRAME_NAME = re.compile(r"(?P<prefix>([0-9]{1,18})M([12])D([0-9]{1,18})T[0-9]+)F([^/\\\0]+)")
ROW = "five integers: modality (1 infrared, 2 visible), first and last line, person, camera"


@dataclass(frozen=True, slots=True)
class _Frame:
    """One parsed line of a name list."""

    prefix: str
    path: Path
    person: int
    modality: Modality
    camera: int


def scan_hitsz_vcm(root: Path, problems: Problems, *, min_frames: int = MIN_FRAMES) -> Scan:
    """Reads the lists; looks at no frame.

    Args:
        min_frames: shorter tracks are listed but not used.

    Returns:
        Splits train, query, gallery. Queries keep the order of the query list.
    """
    scan = Scan(own_filter=min_frames != MIN_FRAMES)
    if not check_layout(root, NAME, FILES, problems):
        return scan
    train = _read_split(root, "train", scan, problems)
    test = _read_split(root, "test", scan, problems)
    queries = _read_queries(root, len(test), problems)
    held = set(queries)
    scan.listed = {
        "train": [track for track in train if track],
        "query": [track for i in queries if (track := test[i])],
        "gallery": [track for i, track in enumerate(test) if track and i not in held],
    }
    scan.use_all(min_frames)
    return scan


def _read_split(root: Path, split: str, scan: Scan, problems: Problems) -> list[Track | None]:
    """The tracks of one track list, row by row; None for a row with a complaint."""
    names_file, rows_file = f"info/{split}_name.txt", f"info/track_{split}_info.txt"
    names = read_list(root, names_file, problems)
    rows = read_list(root, rows_file, problems)
    frames = _read_names(root, names_file, names, split, problems)
    tracks: list[Track | None] = []
    covered = 0
    for number, row in enumerate(rows, start=1):
        place = f"{root / rows_file}:{number}"
        track = None
        numbers = _integers(row)
        if numbers is None or len(numbers) != 5 or numbers[0] not in MODALITIES:
            problems.add(f"{place}: expected {ROW}; found {shortened(row)}. Copy the file again")
        elif not 1 <= numbers[1] <= numbers[2] <= len(names):
            problems.add(
                f"{place}: the track takes lines {numbers[1]} to {numbers[2]} of {names_file}, "
                f"which has {len(names)}; one of the two files is cut off, copy both again"
            )
        else:
            code, first, last, person, camera = numbers
            covered = max(covered, last)
            chosen = frames[first - 1 : last]
            track = _track(split, number, chosen, MODALITIES[code], person, camera, scan)
            if track is not None:
                scan.origins[track.key] = (names_file, first, 1)
                _compare(place, chosen, track, scan)
        tracks.append(track)
    if covered < len(names):
        scan.suspicions.append(
            f"{root / rows_file}:{max(1, len(rows))}: the last track ends at line {covered} of "
            f"{names_file}, which has {len(names)}; the track list looks cut off, copy it again"
        )
    return tracks


def _read_names(
    root: Path, file: str, names: list[str], split: str, problems: Problems
) -> list[_Frame | None]:
    folder = root / split.capitalize()
    directories: dict[str, Path] = {}
    frames: list[_Frame | None] = []
    for number, name in enumerate(names, start=1):
        match = FRAME_NAME.fullmatch(name.strip())
        if match is None:
            problems.add(
                f"{root / file}:{number}: expected a frame name like 0001M2D3T1F1.jpg; "
                f"found {shortened(name)}. Copy the file again"
            )
            frames.append(None)
            continue
        prefix, person, code, camera, rest = match.groups()
        modality = MODALITIES[int(code)]
        if prefix not in directories:
            directories[prefix] = folder / person / FOLDERS[modality] / f"D{camera}"
        path = directories[prefix] / rest
        frames.append(_Frame(prefix, path, int(person), modality, int(camera)))
    return frames


def _track(
    split: str,
    number: int,
    frames: list[_Frame | None],
    modality: Modality,
    person: int,
    camera: int,
    scan: Scan,
) -> Track | None:
    named = [frame for frame in frames if frame is not None]
    if len(named) < len(frames):
        return None  # the names have been complained about
    key = unique_key(f"{split}/{named[0].prefix}", number, scan.origins)
    return Track(tuple(frame.path for frame in named), modality, camera, person, key)


def _compare(place: str, frames: list[_Frame | None], track: Track, scan: Scan) -> None:
    """Notes a row that contradicts the names of its frames."""
    wanted = (track.identity, track.modality, track.camera)
    for frame in frames:
        if frame and (frame.person, frame.modality, frame.camera) != wanted:
            scan.suspicions.append(
                f"{place}: the row says person {track.identity}, {track.modality.name.lower()}, "
                f"camera {track.camera}, but its lines name {frame.prefix}"
            )
            return


def _read_queries(root: Path, rows: int, problems: Problems) -> list[int]:
    """Positions of the query tracks among the test tracks, in the order of the list."""
    queries: dict[int, None] = {}
    for number, line in enumerate(read_list(root, QUERY_FILE, problems), start=1):
        place = f"{root / QUERY_FILE}:{number}"
        indices = _integers(line)
        if indices is None:
            problems.add(
                f"{place}: expected row numbers; found {shortened(line)}. Copy the file again"
            )
            continue
        for index in indices:
            if not 1 <= index <= rows:
                problems.add(
                    f"{place}: query row {index} is out of range, info/track_test_info.txt has "
                    f"rows 1 to {rows}; copy both files again"
                )
            elif index - 1 in queries:
                problems.add(f"{place}: query row {index} is listed twice; copy the file again")
            else:
                queries[index - 1] = None
    return list(queries)


def _integers(line: str) -> list[int] | None:
    try:
        return [whole_number(word) for word in line.split()]
    except ValueError:
        return None


I, V = Modality.INFRARED, Modality.VISIBLE  # noqa: E741

register_dataset(
    DatasetSpec(
        name=NAME,
        scan=scan_hitsz_vcm,
        title="HITSZ-VCM",
        aliases=("vcm",),
        marks=("info/train_name.txt|info/track_train_info.txt",),
        query_side="infrared",
        counts={
            ("train", I, False): Counts(tracks=4_291),
            ("train", V, False): Counts(tracks=5_460),
            ("train", None, False): Counts(500, 9_751, 224_757),
            ("train", None, True): Counts(tracks=11_061, frames=232_496),
            ("query", I, False): Counts(tracks=4_584),
            ("query", I, True): Counts(tracks=5_159),
            ("gallery", V, False): Counts(tracks=5_099),
            ("gallery", V, True): Counts(tracks=5_643),
            ("test", None, True): Counts(tracks=10_802, frames=230_763),
        },
        results=(
            PublishedResult(
                "M3-ReID, 6 frames", "supervised", "V2I", (75.31, 60.51), "I2V", (73.21, 59.02)
            ),
        ),
    )
)
