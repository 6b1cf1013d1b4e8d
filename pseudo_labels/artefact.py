"""The stage-one artefact: all that passes from the baseline to multi-memory matching."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from .. import __version__
from ..datasets.track import Modality, Track
from ..datasets.track_table import read_track_table
from ..errors import UserError
from ..files import write_whole
from ..models.state_files import check_finite, read_tensors
from ..reading import parse_json, read_bytes, shortened, whole_number
from ..run_format import require_readable

AGAIN = "`vireid baseline --resume` on that folder writes it again"
COLUMNS = ("key", "modality", "camera", "pseudo_label", "identity")


@dataclass(frozen=True)
class Artefact:
    """Features and pseudo-labels of every training track.

    Attributes:
        folder: where it lies.
        keys: [N] track keys, visible ones first.
        labels: [N] int64 pseudo-labels, counted within each modality; -1 = noise.
        visible: [Nv, D] float32 features, in the order of ``keys``.
        infrared: [Ni, D] float32 features.
    """

    folder: Path
    keys: list[str]
    labels: np.ndarray
    visible: Tensor
    infrared: Tensor

    @property
    def encoder(self) -> Path:
        """Weights of the stage-one network."""
        return self.folder / "encoder.safetensors"


def write_artefact(
    folder: Path,
    tracks: Sequence[Track],
    labels: np.ndarray,
    features: Tensor,
    metrics: dict[str, Any],
) -> None:
    """Writes ``tracks.csv``, ``features.safetensors`` and ``metrics.json``.

    Args:
        folder: run folder of stage one; its ``config.yaml`` and encoder are written elsewhere.
        tracks: the N training tracks; their identities are written for reading, where known.
        labels: [N] int64 pseudo-labels within each modality, -1 = noise.
        features: [N, D] float32.
        metrics: JSON-able summary of the stage.
    """
    modality = np.array([track.modality for track in tracks])
    order = np.argsort(modality, kind="stable")
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for i in order:
        track = tracks[i]
        identity = "" if track.identity is None else track.identity
        rows.writerow((track.key, track.modality.name.lower(), track.camera, labels[i], identity))
    index = torch.from_numpy(order)
    split = int((modality == Modality.VISIBLE).sum())
    ordered = features.float().cpu()[index]
    parts = {"visible": ordered[:split].contiguous(), "infrared": ordered[split:].contiguous()}
    write_whole(folder / "features.safetensors", save(parts))
    facts = {"vireid": __version__, **metrics}
    write_whole(folder / "metrics.json", json.dumps(facts, indent=2) + "\n")
    # Last, because its presence says that the artefact is complete.
    write_whole(folder / "tracks.csv", table.getvalue())


def read_artefact(folder: Path) -> Artefact:
    """Reads a stage-one artefact.

    Raises:
        UserError: an earlier version wrote it, a part is missing or malformed, or the parts do not
            fit each other.
    """
    for name in ("tracks.csv", "features.safetensors", "encoder.safetensors", "metrics.json"):
        if not (folder / name).exists():
            raise UserError(
                f"{folder} is no finished stage-one run: {name} is missing. "
                "Run `vireid baseline --output` to that folder first (--resume goes on with it)."
            )
    require_readable(_version(folder / "metrics.json"), folder)
    table, features = folder / "tracks.csv", folder / "features.safetensors"
    try:
        tracks, rows = read_track_table(table, Path(), COLUMNS)
        labels = read_labels(rows, table)
        visible, infrared = read_stage_one_features(features)
    except ValueError as error:
        raise UserError(f"{error}; {AGAIN}") from error
    if not rows:
        raise UserError(f"{table} lists no track; {AGAIN}")
    keys = [track.key for track in tracks]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UserError(f"{table} lists {shortened(twice)} twice; {AGAIN}")
    order = [track.modality for track in tracks]
    if order != sorted(order):
        raise UserError(f"{table}: visible tracks stand before infrared ones; {AGAIN}")
    for name, part, modality in (
        ("visible", visible, Modality.VISIBLE),
        ("infrared", infrared, Modality.INFRARED),
    ):
        count = order.count(modality)
        if len(part) != count:
            raise UserError(f"{features}: wanted {count} {name} rows, found {len(part)}; {AGAIN}")
    return Artefact(folder, keys, labels, visible, infrared)


def read_labels(rows: Sequence[Mapping[str, str]], table: Path) -> np.ndarray:
    """Pseudo-labels [N] int64 of the N rows of a ``tracks.csv``.

    Args:
        rows: of the table, by column.
        table: the file, for the message.

    Raises:
        ValueError: one is neither the number of a cluster nor -1.
    """
    labels = np.full(len(rows), -1, np.int64)
    for number, row in enumerate(rows):
        try:
            labels[number] = whole_number(row["pseudo_label"])
        except ValueError as error:
            raise ValueError(f"{table}, line {number + 2}: pseudo_label: {error}") from error
        # Clusters are counted from 0 without gaps, so there are never more than tracks.
        if not -1 <= labels[number] < len(rows):
            raise ValueError(
                f"{table}, line {number + 2}: pseudo_label {labels[number]} is no cluster of "
                f"{len(rows)} tracks"
            )
    return labels


def read_stage_one_features(path: Path) -> tuple[Tensor, Tensor]:
    """Features [Nv, D] and [Ni, D] of stage one's visible and infrared tracks, float32.

    Args:
        path: ``features.safetensors`` of the run folder.

    Raises:
        ValueError: they are damaged, missing, not finite, or do not fit each other.
    """
    tensors, _ = read_tensors(path)
    if missing := [name for name in ("visible", "infrared") if name not in tensors]:
        raise ValueError(f"{path}: there are no {' and no '.join(missing)} features")
    parts = (tensors["visible"], tensors["infrared"])
    shapes = [list(part.shape) for part in parts]
    if not all(part.ndim == 2 and part.is_floating_point() for part in parts):
        raise ValueError(f"{path}: expected rows of floating-point features, found {shapes}")
    if parts[0].shape[1] != parts[1].shape[1] or not parts[0].shape[1]:
        raise ValueError(f"{path}: expected features of one width, found {shapes}")
    check_finite({"visible": parts[0], "infrared": parts[1]}, str(path))
    return parts[0].float(), parts[1].float()


def _version(metrics: Path) -> object:
    try:
        found = parse_json(read_bytes(metrics))
    except ValueError as error:
        raise UserError(f"{metrics} is damaged ({error}); {AGAIN}") from error
    return found.get("vireid") if isinstance(found, dict) else None


def align(artefact: Artefact, tracks: Sequence[Track]) -> np.ndarray:
    """Rows [N] int64 of the artefact for the N training tracks of the data set at hand.

    Raises:
        UserError: the tracks are not those of the artefact.
    """
    row_of = {key: row for row, key in enumerate(artefact.keys)}
    missing = [track.key for track in tracks if track.key not in row_of]
    if missing or len(row_of) != len(tracks):
        surplus = len(row_of) - (len(tracks) - len(missing))
        raise UserError(
            f"{artefact.folder} belongs to other data: {len(missing)} of {len(tracks)} training "
            f"tracks are not in its tracks.csv{' (first: ' + missing[0] + ')' if missing else ''}"
            f" and {surplus} of its rows are not in the data set. "
            "Use the --dataset and --data-dir of stage one, or run stage one again."
        )
    return np.array([row_of[track.key] for track in tracks], dtype=np.int64)
