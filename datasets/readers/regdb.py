"""RegDB (images): Nguyen et al., "Person recognition system based on a combination of body images
from visible light and thermal cameras", Sensors 2017.

`Visible/` and `Thermal/` hold a folder for each person, and `idx/` the lists of ten trials: each
divides the people anew into training and test, and a result is the mean over the ten.
"""

from __future__ import annotations

from pathlib import Path

from ..folder_scan import Problems, Scan
from ..image_list import ListedImage, compare_labels, numbered_apart, read_image_list
from ..layouts import check_layout
from ..registry import register_dataset
from ..spec import Counts, DatasetSpec, ProtocolRecipe, PublishedResult, Trials
from ..track import Modality, Track

NAME = "regdb"
TRIALS = 10
FOLDERS = {Modality.VISIBLE: "Visible", Modality.INFRARED: "Thermal"}
WORDS = {Modality.VISIBLE: "visible", Modality.INFRARED: "thermal"}
CAMERAS = {Modality.VISIBLE: 1, Modality.INFRARED: 2}
SPLITS = ("train", "test")


def scan_regdb(root: Path, problems: Problems, *, trial: int = 1) -> Scan:
    """Reads the four lists of one trial; looks at no image.

    Args:
        trial: which division into training and test, 1 to 10.

    Returns:
        Splits train (visible, then thermal), query (visible test images) and gallery (thermal ones;
        the other direction swaps the two), in the order of the lists. The visible camera is 1, the
        thermal one 2.
    """
    scan = Scan()
    files = {(s, m): f"idx/{s}_{WORDS[m]}_{trial}.txt" for s in SPLITS for m in Modality}
    if not check_layout(root, NAME, (*FOLDERS.values(), *files.values()), problems):
        return scan
    rows = {part: read_image_list(root, name, problems) for part, name in files.items()}
    tracks = {
        (split, modality): _tracks(root, files[split, modality], found, modality, scan, problems)
        for (split, modality), found in rows.items()
    }
    scan.listed = {
        "train": [*tracks["train", Modality.VISIBLE], *tracks["train", Modality.INFRARED]],
        "query": tracks["test", Modality.VISIBLE],
        "gallery": tracks["test", Modality.INFRARED],
    }
    scan.use_all()
    for split in SPLITS:
        of_split = {files[split, m]: rows[split, m] for m in Modality}
        scan.suspicions += compare_labels(of_split, root)
    train, test = ([*rows[s, Modality.VISIBLE], *rows[s, Modality.INFRARED]] for s in SPLITS)
    scan.numbered_apart = numbered_apart(train, test)
    absent = [
        str(other)
        for other in range(1, TRIALS + 1)
        if any(
            not (root / f"idx/{split}_{word}_{other}.txt").is_file()
            for split in SPLITS
            for word in WORDS.values()
        )
    ]
    if absent:
        scan.notices.append(
            f"{root / 'idx'} lacks lists of trial {', '.join(absent)}; published results are means "
            f"over {TRIALS} trials"
        )
    return scan


def _tracks(
    root: Path,
    name: str,
    rows: list[ListedImage],
    modality: Modality,
    scan: Scan,
    problems: Problems,
) -> list[Track]:
    tracks = []
    for row in rows:
        if row.path.parts[0].lower() == FOLDERS[modality.other].lower():
            problems.add(
                f"{root / name}:{row.line}: expected an image below {FOLDERS[modality]}/; found "
                f"{row.path}. The lists of the two modalities are mixed up, copy idx/ again"
            )
            continue
        tracks.append(row.track(root, name, modality, CAMERAS[modality], scan))
    return tracks


I, V = Modality.INFRARED, Modality.VISIBLE  # noqa: E741

register_dataset(
    DatasetSpec(
        name=NAME,
        scan=scan_regdb,
        title="RegDB",
        marks=("idx/train_visible_1.txt|Thermal",),
        images=True,
        counts={
            ("train", V, False): Counts.of_images(2_060, 206),
            ("train", I, False): Counts.of_images(2_060, 206),
            ("query", V, False): Counts.of_images(2_060, 206),
            ("gallery", I, False): Counts.of_images(2_060, 206),
        },
        protocols=(ProtocolRecipe("v2t", "all"), ProtocolRecipe("t2v", "all")),
        trials=Trials(TRIALS, "about half"),
        results=(PublishedResult("MMM", "unsupervised", "V2I", (89.7, 80.5), "I2V", (85.8, 77.0)),),
    )
)
