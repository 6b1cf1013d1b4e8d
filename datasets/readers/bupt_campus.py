"""BUPTCampus (video): Du et al., "Video-based visible-infrared person re-identification with
auxiliary samples", IEEE TIFS 2023.

`DATA/` holds the frames, `data_paths.json` names those of each person, modality, camera and
tracklet, and four lists say what belongs to a split: `pid modality camera tracklet` a line.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...reading import inside, is_count, parse_json, shortened
from ..folder_scan import Problems, Scan, read_list, unique_key
from ..layouts import check_layout
from ..registry import register_dataset
from ..spec import Counts, DatasetSpec, ProtocolRecipe, PublishedResult
from ..track import Modality, Track

NAME = "bupt-campus"
CAMERAS = {"LS3": 0, "G25": 1, "CQ1": 2, "W4": 3, "TSG1": 4, "TSG2": 5}
MODALITIES = {
    "RGB/IR": (Modality.INFRARED, Modality.VISIBLE),
    "IR/RGB": (Modality.INFRARED, Modality.VISIBLE),
    "IR": (Modality.INFRARED,),
    "RGB": (Modality.VISIBLE,),
}
FOLDERS = {Modality.INFRARED: "IR", Modality.VISIBLE: "RGB"}
FAKE = "FakeIR"
PATHS_FILE = "data_paths.json"
LISTS = {
    "train": ("train.txt",),
    "auxiliary": ("train_auxiliary.txt", "train_aux.txt"),
    "query": ("query.txt",),
    "gallery": ("gallery.txt",),
}
NEEDED = ("DATA", PATHS_FILE, "train.txt", "query.txt", "gallery.txt")


def scan_bupt_campus(
    root: Path, problems: Problems, *, auxiliary: bool = False, fake_ir: bool = False
) -> Scan:
    """Reads the lists; looks at no frame.

    Args:
        auxiliary: add the auxiliary tracklets to the training ones.
        fake_ir: take the frames of visible tracks, of every split, from what they look like when
            turned to infrared (`FakeIR`), as the data set's own code does. Infrared tracks stay.

    Returns:
        Splits train, auxiliary (where it is listed), query, gallery. A row for both modalities
        gives two tracks, infrared first.
    """
    scan = Scan(own_frames=fake_ir)
    needed = (*NEEDED, "|".join(LISTS["auxiliary"])) if auxiliary else NEEDED
    if not check_layout(root, NAME, needed, problems):
        return scan
    paths = _read_paths(root, problems)
    for split, names in LISTS.items():
        name = next((name for name in names if (root / name).is_file()), None)
        if name is None:
            if split == "auxiliary":
                scan.notices.append(f"{' or '.join(names)} is missing; no auxiliary tracklets")
                continue
            name = names[0]
        scan.listed[split] = _read_split(root, split, name, paths, scan, problems, fake=fake_ir)
    scan.use_all()
    if auxiliary:
        scan.training = ("train", "auxiliary")
    return scan


def _read_paths(root: Path, problems: Problems) -> dict[str, Any]:
    path = root / PATHS_FILE
    text = "\n".join(read_list(root, PATHS_FILE, problems))
    try:
        paths = parse_json(text or "{}")
    except json.JSONDecodeError as error:
        problems.add(f"{path}:{error.lineno}: not valid JSON ({error.msg}); copy the file again")
        return {}
    except ValueError as error:
        problems.add(f"{path}: not valid JSON ({error}); copy the file again")
        return {}
    if not isinstance(paths, dict):
        problems.add(f"{path}:1: expected an object with a person a key; copy the file again")
        return {}
    return paths


def _read_split(
    root: Path,
    split: str,
    name: str,
    paths: dict[str, Any],
    scan: Scan,
    problems: Problems,
    *,
    fake: bool,
) -> list[Track]:
    tracks = []
    for number, line in enumerate(read_list(root, name, problems), start=1):
        place = f"{root / name}:{number}"
        words = line.split()
        if not (len(words) == 4 and is_count(words[0]) and words[1] in MODALITIES):
            problems.add(
                f"{place}: expected person, modality (IR, RGB or RGB/IR), camera, tracklet; "
                f"found {shortened(line)}. Copy the file again"
            )
            continue
        person, kinds, camera, tracklet = words
        if camera not in CAMERAS:
            problems.add(
                f"{place}: unknown camera {shortened(camera)}; known are {', '.join(CAMERAS)}"
            )
            continue
        for modality in MODALITIES[kinds]:
            kind = FAKE if fake and modality is Modality.VISIBLE else FOLDERS[modality]
            frames = _frames(paths, person, kind, camera, tracklet)
            if not frames:
                problems.add(
                    f"{place}: {PATHS_FILE} lists no frames of person {person}, {kind}, camera "
                    f"{camera}, tracklet {tracklet}; copy both files again"
                )
                continue
            wanted = f"{split}/{person}/{FOLDERS[modality]}/{camera}/{tracklet}"
            key = unique_key(wanted, number, scan.origins)
            scan.origins[key] = (name, number, 0)
            files = tuple(root / "DATA" / frame for frame in frames)
            tracks.append(Track(files, modality, CAMERAS[camera], int(person), key))
    return tracks


def _frames(paths: dict[str, Any], person: str, kind: str, camera: str, tracklet: str) -> list[str]:
    """Frames of a tracklet relative to DATA; none where the table does not have it."""
    entry: Any = paths
    for key in (person, kind, camera, tracklet):
        entry = entry.get(key) if isinstance(entry, dict) else None
    if entry is None and kind == FAKE:
        # Fake infrared frames keep the names of the visible ones, in a folder of their own.
        visible = _frames(paths, person, FOLDERS[Modality.VISIBLE], camera, tracklet)
        old = f"{person}/{FOLDERS[Modality.VISIBLE]}/"
        return [frame.replace(old, f"{person}/{FAKE}/", 1) for frame in visible]
    listed = isinstance(entry, list) and all(
        isinstance(frame, str) and inside(frame) for frame in entry
    )
    return entry if listed else []


I, V = Modality.INFRARED, Modality.VISIBLE  # noqa: E741

register_dataset(
    DatasetSpec(
        name=NAME,
        scan=scan_bupt_campus,
        title="BUPTCampus",
        aliases=("bupt",),
        marks=("data_paths.json|DATA",),
        query_side="both",
        counts={
            ("train", I, False): Counts(tracks=3_574),
            ("train", V, False): Counts(tracks=3_574),
            ("train", None, False): Counts(1_074, 7_148, 796_138),
            ("auxiliary", None, False): Counts(930, 1_860),
            ("query", I, False): Counts(tracks=536),
            ("query", V, False): Counts(tracks=540),
            ("query", None, False): Counts(1_076, 1_076),
            ("gallery", I, False): Counts(tracks=2_422),
            ("gallery", V, False): Counts(tracks=2_422),
            ("gallery", None, False): Counts(1_076, 4_844),
        },
        protocols=(
            ProtocolRecipe("v2i"),
            ProtocolRecipe("i2v"),
            ProtocolRecipe("released/v2i", "all", published=False, default=False),
            ProtocolRecipe("released/i2v", "all", published=False, default=False),
        ),
        results=(
            PublishedResult(
                "M3-ReID, 6 frames", "supervised", "V2I", (70.74, 63.75), "I2V", (68.28, 64.96)
            ),
        ),
    )
)
