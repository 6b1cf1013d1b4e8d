"""The data sets that can be read, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .bupt_campus import scan_bupt_campus
from .errors import DatasetError
from .folder import scan_folder
from .hitsz_vcm import scan_hitsz_vcm
from .scan import Problems, Scan
from .track import Dataset

SCANNERS: dict[str, Callable[..., Scan]] = {
    "hitsz-vcm": scan_hitsz_vcm,
    "bupt-campus": scan_bupt_campus,
    "folder": scan_folder,
}
_ALIASES = {"vcm": "hitsz-vcm", "bupt": "bupt-campus"}


def resolve_name(name: str) -> str:
    """The registered name that a user's spelling means.

    Args:
        name: for instance "hitsz-vcm", "HITSZVCM" or "BUPTCampus".

    Returns:
        The registered name.

    Raises:
        DatasetError: if no data set has this name.
    """
    plain = _plain(name)
    known = {_plain(registered): registered for registered in SCANNERS} | _ALIASES
    if plain not in known:
        raise DatasetError(f"unknown data set {name!r}; known are {', '.join(SCANNERS)}")
    return known[plain]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def load_dataset(name: str, root: str | Path, **options: object) -> Dataset:
    """Reads the lists of a data set; frames are not touched.

    Args:
        name: "hitsz-vcm", "bupt-campus" or "folder"; other spellings of the same are understood.
        root: folder of the data set, as it was published.
        **options: of the reader: `min_frames` (hitsz-vcm: 12, folder: 1), `auxiliary` and `fake_ir`
            (bupt-campus: False).

    Returns:
        The tracks in the order of the lists, which is sorted by identity in the published files, so
        whoever trains without labels must shuffle.

    Raises:
        DatasetError: if the name is unknown, a list is missing or malformed, the folder has another
            layout, or a split is empty.
    """
    name, root = resolve_name(name), Path(root)
    scan = SCANNERS[name](root, Problems(), **options)
    train, query, gallery = scan.parts()
    for split, tracks in (("train", train), ("query", query), ("gallery", gallery)):
        if not tracks:
            dropped = len(scan.listed[split])
            reason = f"all {dropped} listed ones are too short" if dropped else "none are listed"
            advice = ", or lower the reader's min_frames" if dropped else ""
            raise DatasetError(
                f"{root}: the {split} split of {name} has no tracks ({reason}); "
                f"complete the data set{advice}"
            )
    return Dataset(name, root, tuple(train), tuple(query), tuple(gallery), dict(options))
