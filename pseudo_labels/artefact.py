"""The stage-one artefact: all that passes from the baseline to multi-memory matching."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from .. import __version__
from ..datasets.track import Modality, Track
from ..errors import UserError
from ..files import write_whole
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
    with (folder / "tracks.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows or tuple(rows[0]) != COLUMNS:
        raise UserError(f"{folder / 'tracks.csv'}: the columns should be {', '.join(COLUMNS)}")
    try:
        labels = np.array([int(row["pseudo_label"]) for row in rows], dtype=np.int64)
    except ValueError as error:
        raise UserError(f"{folder / 'tracks.csv'}: a pseudo-label is no number: {error}") from error
    features = folder / "features.safetensors"
    try:
        tensors = load_file(features)
    except SafetensorError as error:
        raise UserError(f"{features} is damaged ({error}); {AGAIN}") from error
    for name in ("visible", "infrared"):
        count = sum(row["modality"] == name for row in rows)
        found = len(tensors[name]) if name in tensors else "none"
        if found != count:
            raise UserError(f"{features}: wanted {count} {name} rows, found {found}")
    return Artefact(
        folder, [r["key"] for r in rows], labels, tensors["visible"], tensors["infrared"]
    )


def _version(metrics: Path) -> object:
    try:
        found = json.loads(metrics.read_text(encoding="utf-8"))
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
