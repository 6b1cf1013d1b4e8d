"""The data sets that can be read, by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .bupt_campus import scan_bupt_campus
from .errors import DatasetError
from .folder import scan_folder
from .folder_scan import Problems, Scan
from .hitsz_vcm import scan_hitsz_vcm
from .llcm import scan_llcm
from .regdb import scan_regdb
from .sysu_mm01 import scan_sysu_mm01
from .track import Dataset

SCANNERS: dict[str, Callable[..., Scan]] = {
    "hitsz-vcm": scan_hitsz_vcm,
    "bupt-campus": scan_bupt_campus,
    "sysu-mm01": scan_sysu_mm01,
    "regdb": scan_regdb,
    "llcm": scan_llcm,
    "folder": scan_folder,
}
_ALIASES = {"vcm": "hitsz-vcm", "bupt": "bupt-campus", "sysu": "sysu-mm01"}
# Options that decide which people are in which split, recorded even where nobody gave them.
_DEFAULTS: dict[str, dict[str, object]] = {"regdb": {"trial": 1}}


def register_dataset(name: str, scan: Callable[..., Scan]) -> None:
    """Makes a data set known to every command and to `load_dataset`.

    Its protocols are `<name>/v2i` and `<name>/i2v` under the `standard` camera rule, and it is
    verified without published counts.

    Args:
        name: for `--dataset`; lower-case letters and digits, parts joined by hyphens.
        scan: its reader: takes the folder and `Problems`, and options by name, and returns a `Scan`
            with the splits train, query and gallery in both `listed` and `used`.

    Raises:
        ValueError: the name has another form, or is taken.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(
            f"a data set is named like 'hitsz-vcm', in lower-case letters and digits; got {name!r}"
        )
    taken = {_plain(registered) for registered in SCANNERS} | set(_ALIASES)
    if _plain(name) in taken:
        raise ValueError(f"there is a data set {name!r} already; known are {', '.join(SCANNERS)}")
    SCANNERS[name] = scan


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
        name: "hitsz-vcm", "bupt-campus", "sysu-mm01", "regdb", "llcm" or "folder"; other spellings
            of the same are understood.
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
    name, root = resolve_name(name), Path(root)
    scan = SCANNERS[name](root, Problems(), **options)
    train, query, gallery = scan.parts()
    kept = {**_DEFAULTS.get(name, {}), **options}
    for split, tracks in (("train", train), ("query", query), ("gallery", gallery)):
        if not tracks:
            dropped = len(scan.listed[split])
            reason = f"all {dropped} listed ones are too short" if dropped else "none are listed"
            advice = ", or lower the reader's min_frames" if dropped else ""
            raise DatasetError(
                f"{root}: the {split} split of {name} has no tracks ({reason}); "
                f"complete the data set{advice}"
            )
    return Dataset(name, root, tuple(train), tuple(query), tuple(gallery), kept)
