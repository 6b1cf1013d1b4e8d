"""From a folder to tracks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import DatasetError
from .folder_scan import Problems, Scan
from .registry import dataset_spec
from .spec import DatasetSpec
from .track import Dataset, Track


def load_dataset(name: str, root: str | Path, **options: object) -> Dataset:
    """Reads the lists of a data set; frames are not touched.

    Args:
        name: "hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb", "llcm", "folder", or a registered
            one; other spellings of the same are understood.
        root: folder of the data set, as it was published.
        **options: of the reader: `min_frames` (hitsz-vcm: 12, folder: 1), `auxiliary` and `fake_ir`
            (bupt-campus: False), `trial` (regdb: 1).

    Returns:
        The tracks in the order of the lists, which is sorted by identity in the published files, so
        whoever trains without labels must shuffle.

    Raises:
        DatasetError: if the name is unknown, a list is missing or malformed, the folder has another
            layout, or a split is empty.
    """
    spec, root = dataset_spec(name), Path(root)
    # The trial decides which people are in which split: recorded even where nobody gave it.
    options = {**spec.reader_options(1), **options}
    scan = scan_dataset(spec, root, Problems(), options)
    train, query, gallery = scan.parts()
    for split, tracks in needed_splits(spec, train, query, gallery):
        if not tracks:
            dropped = len(scan.listed[split])
            reason = f"all {dropped} listed ones are too short" if dropped else "none are listed"
            advice = ", or lower the reader's min_frames" if dropped else ""
            raise DatasetError(
                f"{root}: the {split} split of {spec.name} has no tracks ({reason}); "
                f"complete the data set{advice}"
            )
    return Dataset(spec.name, root, tuple(train), tuple(query), tuple(gallery), options)


def needed_splits(
    spec: DatasetSpec, train: list[Track], query: list[Track], gallery: list[Track]
) -> list[tuple[str, list[Track]]]:
    """The splits that must have tracks, by name: without a test split, the training one."""
    test = [("query", query), ("gallery", gallery)] if spec.needs_test or query or gallery else []
    return [("train", train), *test]


def scan_dataset(
    spec: DatasetSpec, root: Path, problems: Problems, options: Mapping[str, object]
) -> Scan:
    """Calls the reader of a data set, with the reader's options.

    Raises:
        DatasetError: there is no such trial, or the first complaint where these are not collected.
    """
    trial = options.get("trial", 1)
    if spec.trials and trial not in range(1, spec.trials.count + 1):
        raise DatasetError(
            f"{spec.title} has trials 1 to {spec.trials.count}; got {trial!r}. Give one of them "
            "(--trial)"
        )
    return spec.scan(root, problems, **options)
