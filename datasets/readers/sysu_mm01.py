"""SYSU-MM01 (images): Wu et al., "RGB-infrared cross-modality person re-identification", ICCV 2017.

`cam1/` to `cam6/` hold a folder for each person; cameras 3 and 6 are infrared. `exp/` lists the
people of training, validation and test; everyone trains on training and validation together.
"""

from __future__ import annotations

from pathlib import Path

from ...errors import shorten
from ..folder_scan import Problems, Scan
from ..image_folder import Camera, folder_tracks, read_identities, skipped_numbers, without_images
from ..layouts import check_layout
from ..registry import register_dataset
from ..spec import Counts, DatasetSpec, KnownFault, ProtocolRecipe, PublishedResult, Rule
from ..track import Modality

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
    scan.use_all()
    for people, tracks, names in (
        (learnt, scan.listed["train"], f"{TRAIN_FILE} and {VALIDATION_FILE}"),
        (test, images, TEST_FILE),
    ):
        scan.suspicions += without_images(people, tracks, names)
    scan.suspicions += skipped_numbers([*scan.listed["train"], *images])
    return scan


I, V = Modality.INFRARED, Modality.VISIBLE  # noqa: E741
INDOOR_CAMERAS = (1, 2)  # of the visible ones
ENDS: tuple[tuple[str, Rule], ...] = (
    ("i2v", "sysu"),
    ("v2i", "sysu-symmetric"),
    ("released/v2i", "sysu"),
)

register_dataset(
    DatasetSpec(
        name=NAME,
        scan=scan_sysu_mm01,
        title="SYSU-MM01",
        aliases=("sysu",),
        marks=("exp/train_id.txt|exp/test_id.txt|cam1",),
        images=True,
        counts={
            ("train", V, False): Counts.of_images(22_258),
            ("train", I, False): Counts.of_images(11_909),
            ("train", None, False): Counts.of_images(34_167, 395),
            ("query", I, False): Counts.of_images(3_803),
            ("test", None, False): Counts(96),
        },
        gallery_pairs=301,
        faults=(
            KnownFault(
                {
                    ("train", V, False): Counts(tracks=20_284),
                    ("train", I, False): Counts(tracks=9_927),
                },
                f"the images of {TRAIN_FILE} alone: those of {VALIDATION_FILE} are missing, and "
                f"the published results train on both; copy {VALIDATION_FILE} from the original "
                "archive",
            ),
            KnownFault(
                {("train", None, False): Counts(367), ("train", I, False): Counts(tracks=11_333)},
                "a widespread incomplete copy of 367 people and 11,333 infrared training images: "
                "28 people of the lists are missing; unpack the original archive again",
            ),
        ),
        # For infrared queries released code and the data set's own rule agree.
        protocols=tuple(
            ProtocolRecipe(
                f"{mode}/{shot}/{end}",
                rule,
                published=end == "i2v",
                default=end == "i2v" and shot == "single",
                shots=shots,
                cameras=cameras,
            )
            for mode, cameras in (("all", None), ("indoor", INDOOR_CAMERAS))
            for shot, shots in (("single", 1), ("multi", 10))
            for end, rule in ENDS
        ),
        official_galleries="exp/rand_perm_cam.mat",
        results=(
            PublishedResult(
                "MMM", "unsupervised", "all-search", (61.6, 57.9), "indoor", (64.4, 70.4)
            ),
            PublishedResult(
                "MMM, with matching, without intra and inter",
                "unsupervised",
                "all-search",
                (55.2, 52.2),
                "indoor",
            ),
            PublishedResult(
                "MMM, cross-modality clustering only",
                "unsupervised",
                "all-search",
                (51.7, 49.8),
                "indoor",
            ),
        ),
    )
)
