"""Telling layouts of data sets apart by their folders."""

from __future__ import annotations

from pathlib import Path

from .folder_scan import Problems
from .registry import DATASETS

# What the preparation scripts of released image code leave behind.
PREPARED = ("ir_modify", "rgb_modify", "train_rgb_resized_img.npy")


def recognise_layout(root: Path) -> str | None:
    """Names the layout of an existing folder; None where none fits."""
    fitting = [
        spec.name
        for spec in DATASETS.values()
        if spec.marks and all(_exists(root, mark) for mark in spec.marks)
    ]
    # File systems that ignore case find the `train` of a plain folder in HITSZ-VCM's `Train`, too.
    others = [name for name in fitting if name != "folder"]
    return next(iter(others or fitting), None)


def _exists(root: Path, choice: str) -> bool:
    return any((root / part).exists() for part in choice.split("|"))


def check_layout(root: Path, name: str, needed: tuple[str, ...], problems: Problems) -> bool:
    """Complains about a folder that is not in the layout that was asked for.

    Args:
        root: folder of the data set.
        name: the layout.
        needed: files and folders that must exist, relative to `root`; "a|b" means either.
        problems: takes the complaint.

    Returns:
        Whether everything needed is there.
    """
    try:
        is_folder = root.is_dir()
        if is_folder:
            next(root.iterdir(), None)
    except OSError as error:
        problems.add(f"{root} cannot be listed ({error.strerror}); make it readable")
        return False
    if not is_folder:
        found = "is a file" if root.exists() else "does not exist"
        problems.add(f"{root} {found}; give the folder that holds the {name} data set (--data-dir)")
        return False
    missing = [n for n in needed if not _exists(root, n)]
    if not missing:
        return True
    listed = ", ".join(n.replace("|", " or ") for n in missing)
    problems.add(
        f"{root} does not hold a complete {name} data set: {listed} missing.{_hint(root, name)}"
    )
    return False


def _hint(root: Path, name: str) -> str:
    """What to do about a folder of another layout."""
    other = recognise_layout(root)
    if other == name:
        return " Copy what is missing from the original archive."
    if other is not None:
        return f" It looks like {other}: use --dataset {other}, or give another --data-dir."
    try:
        inner = sorted(p for p in root.iterdir() if p.is_dir())
    except OSError as error:
        return f" Its content cannot be listed ({error})."
    for child in inner[:50]:
        if recognise_layout(child) == name:
            return f" {child} looks like one: give that as --data-dir."
    if recognise_layout(root.parent) == name:
        return f" {root.parent} looks like one: give that as --data-dir."
    if any((root / prepared).exists() for prepared in PREPARED):
        return (
            " It was prepared for other code (ir_modify/, rgb_modify/ or .npy files); give the "
            "folder of the data set as it was published."
        )
    return " No known layout fits; see the documentation of the layouts for what is expected."
