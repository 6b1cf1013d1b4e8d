"""LLCM (images): Zhang and Wang, "Diverse embedding expansion network and low-light cross-modality
benchmark for visible-infrared person re-identification", CVPR 2023.

Training images are listed in `idx/` with a label; test images lie at
`test_vis/cam<N>/<4-digit id>/` and `test_nir/…`, and `idx/test_id.txt` names the test people.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from ..folder_scan import Problems, Scan
from ..image_folder import Camera, folder_tracks, read_identities, without_images
from ..image_list import ListedImage, compare_labels, numbered_apart, read_image_list
from ..layouts import check_layout
from ..registry import register_dataset
from ..spec import Counts, DatasetSpec, ProtocolRecipe
from ..track import Modality, Track

NAME = "llcm"
TRAIN_FILES = {Modality.VISIBLE: "idx/train_vis.txt", Modality.INFRARED: "idx/train_nir.txt"}
TEST_FILE = "idx/test_id.txt"
# The two sensors of a place have one number; place 3 has no infrared one.
CAMERAS: tuple[Camera, ...] = (
    *((f"test_vis/cam{n}", n, Modality.VISIBLE) for n in range(1, 10)),
    *((f"test_nir/cam{n}", n, Modality.INFRARED) for n in range(1, 10) if n != 3),
)
NEEDED = (*TRAIN_FILES.values(), TEST_FILE, *(folder for folder, _, _ in CAMERAS))
CAMERA_PART = re.compile(r"(?:.*_c|cam)0*([0-9]{1,18})(?:[_.].*)?", re.IGNORECASE)


def scan_llcm(root: Path, problems: Problems) -> Scan:
    """Reads the lists and lists the folders of the test people; opens no image.

    Returns:
        Splits train (visible, then infrared, in the order of the lists), query (all infrared test
        images) and gallery (all visible ones; a protocol draws its galleries from them), both by
        person, camera and file name. Cameras of training images come from their names
        (`…_c05_…`), 0 where these do not say.
    """
    scan = Scan()
    if not check_layout(root, NAME, NEEDED, problems):
        return scan
    train: list[Track] = []
    lists = {m: read_image_list(root, name, problems) for m, name in TRAIN_FILES.items()}
    for modality, rows in lists.items():
        train += [
            row.track(root, TRAIN_FILES[modality], modality, _camera_of(row.path), scan)
            for row in rows
        ]
    nowhere = sum(track.camera == 0 for track in train)
    if nowhere:
        scan.notices.append(
            f"train: the names of {nowhere:,} of {len(train):,} images do not say which camera "
            "they come from (…_c05_…); these count as camera 0"
        )
    people = read_identities(root, TEST_FILE, problems)
    test = folder_tracks(root, people, CAMERAS, problems)
    scan.listed = {
        "train": train,
        "query": [track for track in test if track.modality is Modality.INFRARED],
        "gallery": [track for track in test if track.modality is Modality.VISIBLE],
    }
    scan.use_all()
    listed = [row for rows in lists.values() for row in rows]
    scan.suspicions += compare_labels({TRAIN_FILES[m]: rows for m, rows in lists.items()}, root)
    scan.suspicions += without_images(people, test, TEST_FILE)
    tested = [ListedImage(PurePosixPath(track.key), track.identity or 0, 0) for track in test]
    scan.numbered_apart = numbered_apart(listed, tested)
    return scan


def _camera_of(path: PurePosixPath) -> int:
    """The camera that a file name or a folder on the way to it names, or 0."""
    for part in reversed(path.parts):
        match = CAMERA_PART.fullmatch(part)
        if match:
            return int(match.group(1))
    return 0


I, V = Modality.INFRARED, Modality.VISIBLE  # noqa: E741

register_dataset(
    DatasetSpec(
        name=NAME,
        scan=scan_llcm,
        title="LLCM",
        marks=("idx/train_vis.txt|test_vis",),
        images=True,
        counts={
            ("train", V, False): Counts.of_images(16_946),
            ("train", I, False): Counts.of_images(13_975),
            ("train", None, False): Counts.of_images(30_921, 713),
            ("test", None, False): Counts(351),
        },
        protocols=(
            ProtocolRecipe("v2i", "llcm", shots=1),
            ProtocolRecipe("i2v", "llcm", shots=1),
            # The released script's second mode, which it calls visible to infrared.
            ProtocolRecipe(
                "released/drawn-queries/i2v", "llcm", default=False, shots=1, draws="query"
            ),
        ),
    )
)
