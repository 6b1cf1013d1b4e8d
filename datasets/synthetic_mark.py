"""The file that marks a folder as synthetic and says what a complete copy holds."""

from __future__ import annotations

from pathlib import Path

from ..reading import parse_json, read_bytes
from .folder_scan import Problems
from .spec import Counts, Part
from .track import Modality

MARKER = "vireid-synthetic.json"
"""Name of that file, beside the data."""
_CHOSEN = {"gap": "gap", "views": "views", "sightings": "tracklets"}  # in words, where stored


def synthetic_counts(
    name: str, root: Path, problems: Problems
) -> tuple[str, dict[Part, Counts]] | None:
    """The counts of a complete copy of a synthetic set that is read as the data set `name`.

    An unreadable mark, or one of another layout, is a complaint.

    Returns:
        Which set it is, in words, and the counts (none after a complaint); None where the folder is
        not marked.
    """
    mark = root / MARKER
    if not mark.is_file():
        return None
    try:
        content = parse_json(read_bytes(mark))
        layout = content["layout"]
        source = f"synthetic set, preset {content['preset']}, seed {content['seed']}"
        source += "".join(
            f", {word} {content['sizes'][name]}"
            for name, word in _CHOSEN.items()
            if name in content.get("sizes", ())
        )
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
