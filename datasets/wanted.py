"""Which counts a folder is held against: its own, if it is synthetic, or the published ones."""

from __future__ import annotations

import json
from pathlib import Path

from .folder_scan import Problems
from .published import PUBLISHED, Counts, Part
from .track import Modality

SYNTHETIC_MARK = "vireid-synthetic.json"


def wanted_counts(name: str, root: Path, problems: Problems) -> tuple[str, dict[Part, Counts]]:
    """The counts of a complete copy.

    Args:
        name: registered name of the data set.
        root: its folder.
        problems: takes a complaint about an unreadable mark of a synthetic set.

    Returns:
        Where the counts come from, in words, and the counts; none for a folder of one's own.
    """
    mark = root / SYNTHETIC_MARK
    if not mark.is_file():
        return ("published counts" if name in PUBLISHED else ""), PUBLISHED.get(name, {})
    try:
        content = json.loads(mark.read_text(encoding="utf-8"))
        layout = content["layout"]
        source = f"synthetic set, preset {content['preset']}, seed {content['seed']}"
        counts: dict[Part, Counts] = {
            (split, Modality[modality.upper()], stage == "before"): Counts(
                numbers["identities"], numbers["tracks"], numbers["frames"]
            )
            for split, modalities in content["counts"].items()
            for modality, stages in modalities.items()
            for stage, numbers in stages.items()
            if stage == "after" or numbers != stages["after"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problems.add(
            f"{mark} cannot be read ({type(error).__name__}: {error}); render the set again"
        )
        return "", {}
    if layout != name:
        problems.add(f"{mark}: the set has the layout {layout}, not {name}; use --dataset {layout}")
        return "", {}
    return source, counts
