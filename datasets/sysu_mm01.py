"""SYSU-MM01 (images): Wu et al., "RGB-infrared cross-modality person re-identification", ICCV 2017.

`cam1/` to `cam6/` hold a folder for each person; cameras 3 and 6 are infrared. `exp/` lists the
people of training, validation and test; everyone trains on training and validation together.
"""

from __future__ import annotations

from pathlib import Path

from .folder_scan import Problems, Scan
from .image_folder import Camera, folder_tracks, read_identities, skipped_numbers, without_images
from .layouts import check_layout
from .track import Modality
from .wording import shorten

NAME = "sysu-mm01"
INFRARED_CAMERAS = (3, 6)
CAMERAS: tuple[Camera, ...] = tuple(
    (
        f"cam{number}",
        number,
        Modality.INFRARED if number in INFRARED_CAMERAS else Modality.VISIBLE,
    )
    for number in range(1, 7)
)
TRAIN_FILE, VALIDATION_FILE, TEST_FILE = "exp/train_id.txt", "exp/val_id.txt", "exp/test_id.txt"
# A missing list of identities is complained about when it is read, so that a verification can still
# count the rest.
NEEDED = ("exp", *(folder for folder, _, _ in CAMERAS))


def scan_sysu_mm01(root: Path, problems: Problems) -> Scan:
    """Reads the lists of people and lists their folders; opens no image.

    Args:
        root: folder of the data set.
        problems: takes complaints.

    Returns:
        Splits train, query (all infrared test images) and gallery (all visible ones; a protocol
        draws its galleries from them). Each by person, camera and file name.
    """
    scan = Scan()
    if not check_layout(root, NAME, NEEDED, problems):
        return scan
    train = read_identities(root, TRAIN_FILE, problems)
    validation = read_identities(root, VALIDATION_FILE, problems)
    test = read_identities(root, TEST_FILE, problems)
    learnt = sorted({*train, *validation})
    both = sorted({*learnt} & {*test})
    if both:
        problems.add(
            f"{root / TEST_FILE}: {len(both)} test people are listed for training too: "
            f"{shorten(both)}; copy exp/ again"
        )
    images = folder_tracks(root, test, CAMERAS, problems)
    scan.listed = {
        "train": folder_tracks(root, learnt, CAMERAS, problems),
        "query": [track for track in images if track.modality is Modality.INFRARED],
        "gallery": [track for track in images if track.modality is Modality.VISIBLE],
    }
    scan.used = {split: list(tracks) for split, tracks in scan.listed.items()}
    for people, tracks, names in (
        (learnt, scan.listed["train"], f"{TRAIN_FILE} and {VALIDATION_FILE}"),
        (test, images, TEST_FILE),
    ):
        scan.suspicions += without_images(people, tracks, names)
    scan.suspicions += skipped_numbers([*scan.listed["train"], *images])
    return scan
