"""The file that marks a folder as synthetic and says what a complete copy holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, asdict, fields
from pathlib import Path

from ..datasets.errors import DatasetError
from ..datasets.synthetic_mark import MARKER
from ..reading import parse_json, read_bytes
from .layout_bupt_campus import BuptCampus
from .presets import Preset
from .schedule import Layout, PlannedTrack, count_tracks
from .tracklet import FRAME_HEIGHT, FRAME_WIDTH

VERSION = 1  # raised whenever the same seed gives other files
# What a set may be asked for, and what holds where it is not stored.
_CHOSEN = {field.name: field.default for field in fields(Preset) if field.default is not MISSING}


class SyntheticError(DatasetError, ValueError):
    """A synthetic set cannot be rendered or shown as asked."""


def identities_of(layout: Layout, sizes: Preset) -> dict[str, int]:
    """Number of people in each part of a set."""
    people = {"train": sizes.train_identities, "test": sizes.test_identities}
    if isinstance(layout, BuptCampus):
        people["auxiliary"] = sizes.auxiliary_identities
    return people


def describe(
    layout: Layout, preset: str, sizes: Preset, seed: int, tracks: Sequence[PlannedTrack]
) -> dict[str, object]:
    """Content of the file that marks a folder as synthetic."""
    return {
        "synthetic": True,
        "generator": "vireid.synthetic",
        "version": VERSION,
        "layout": layout.name,
        "preset": preset,
        "seed": seed,
        "identities": identities_of(layout, sizes),
        "sizes": _stored(sizes),
        "frame_size": [FRAME_HEIGHT, FRAME_WIDTH],
        "min_frames": layout.min_frames,
        "counts": count_tracks(tracks, layout.min_frames, images=layout.images),
        "files": sum(track.frames for track in tracks),
    }


def _stored(sizes: Preset) -> dict[str, object]:
    stored: dict[str, object] = json.loads(json.dumps(asdict(sizes)))
    for name, default in _CHOSEN.items():
        if stored[name] == default:
            del stored[name]  # as sets were described before there was a choice
    return stored


def holds(
    out: Path,
    description: dict[str, object],
    layout: Layout,
    tracks: Sequence[PlannedTrack],
    index: Iterable[str],
) -> bool:
    """Whether the folder is this very set; False where it is missing or empty."""
    if not out.exists():
        return False
    if not out.is_dir():
        raise SyntheticError(f"{out} is a file: give a folder that does not exist yet")
    if not any(out.iterdir()):
        return False
    marker = out / MARKER
    if not marker.is_file():
        raise SyntheticError(
            f"{out} is not empty and holds no synthetic set (no {MARKER}): "
            "give a new folder, or empty this one yourself"
        )
    try:
        found = parse_json(read_bytes(marker))
    except ValueError as error:
        raise SyntheticError(f"{marker} cannot be read ({error}): remove {out} yourself") from None
    if found != description:
        keys = ("version", "layout", "preset", "seed", "identities")
        found = found if isinstance(found, dict) else {}
        differences = [
            f"{key} {found.get(key)!r} instead of {description[key]!r}"
            for key in keys
            if found.get(key) != description[key]
        ]
        for name in (*_CHOSEN, "cameras"):
            there, wanted = (_chosen(content, name) for content in (found, description))
            if there != wanted:
                differences.append(f"{name} {there!r} instead of {wanted!r}")
        raise SyntheticError(
            f"{out} holds another synthetic set ({'; '.join(differences) or 'other counts'}): "
            "give a new folder, or remove this one yourself"
        )
    for relative in (*index, *_frames(layout, tracks)):
        if not (out / relative).is_file():
            raise SyntheticError(
                f"{out} holds this set, but {relative} is missing: remove the folder and render "
                "it again"
            )
    return True


def _chosen(description: dict[str, object], name: str) -> object:
    sizes = description.get("sizes")
    return sizes.get(name, _CHOSEN.get(name)) if isinstance(sizes, dict) else None


def _frames(layout: Layout, tracks: Sequence[PlannedTrack]) -> Iterator[str]:
    for track in tracks:
        for index in range(track.frames):
            yield layout.frame_path(track, index)
