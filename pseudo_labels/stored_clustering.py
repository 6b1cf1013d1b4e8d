"""The last clustering of a run on disk: training tracks, features, labels and the match."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ..datasets.track import Modality, Track
from ..datasets.track_table import read_track_table, track_table
from ..files import write_whole
from .artefact import COLUMNS

TRACKS, CLUSTERING = "train_tracks.csv", "last_clustering.safetensors"
EXTRAS = ("unified", "assignment", "cost")  # what not every clustering has


@dataclass(frozen=True)
class StoredClustering:
    """A clustering with all that the report looks at.

    Attributes:
        tracks: the N training tracks; up to six frames each, identities where they are known.
        features: [N, D] floating rows that were clustered.
        labels: [N] int64 clusters counted within each modality, -1 = noise.
        unified: [N] int64 labels over both modalities, -1 = none; None before there are any.
        assignment: [V] int64 infrared cluster of each visible one, -1 = none; None without a match.
        cost: [V, I] matching cost; None where none was computed.
        stage: stage that made it.
        epoch: the epoch that began with it, 0 = after the stage's last one.
    """

    tracks: list[Track]
    features: Tensor
    labels: NDArray[np.int64]
    unified: NDArray[np.int64] | None = None
    assignment: NDArray[np.int64] | None = None
    cost: NDArray[np.float32] | None = None
    stage: str = ""
    epoch: int = 0
    modalities: NDArray[np.int64] = field(init=False)
    cameras: NDArray[np.int64] = field(init=False)
    identities: NDArray[np.int64] | None = field(init=False)

    def __post_init__(self) -> None:
        known = [track.identity for track in self.tracks if track.identity is not None]
        whole = len(known) == len(self.tracks) and known
        for name, value in (
            ("modalities", np.array([int(t.modality) for t in self.tracks], np.int64)),
            ("cameras", np.array([t.camera for t in self.tracks], np.int64)),
            ("identities", np.array(known, np.int64) if whole else None),
        ):
            object.__setattr__(self, name, value)

    def of(self, modality: Modality) -> NDArray[np.int64]:
        """Rows of a modality."""
        return np.flatnonzero(self.modalities == int(modality))


@dataclass(frozen=True)
class LabelHistory:
    """The last two clusterings by modality, so that a resumed run can compare with the one before.

    Attributes:
        now: labels of the clustering of (``stage``, ``epoch``), by ``visible``, ``infrared``, …
        before: labels of the one before.
        stage: stage of ``now``.
        epoch: epoch of ``now``.
    """

    now: dict[str, NDArray[np.int64]]
    before: dict[str, NDArray[np.int64]]
    stage: str = ""
    epoch: int = 0

    def before_that_of(self, stage: str, epoch: int) -> dict[str, NDArray[np.int64]]:
        """What came before the clustering of a moment; empty if that is not known."""
        if stage != self.stage or epoch > self.epoch:
            return self.now
        return self.before if epoch == self.epoch else {}


def write_clustering(
    folder: Path, clustering: StoredClustering, root: Path, history: LabelHistory
) -> None:
    """Writes ``train_tracks.csv`` once and ``last_clustering.safetensors`` anew.

    Features are rounded to half precision: they are for looking at, not for going on. ``root`` is
    the data folder.
    """
    table = folder / TRACKS
    if not table.exists():
        text = track_table(clustering.tracks, ["train"] * len(clustering.tracks), root)
        write_whole(table, text)
    arrays = {name: getattr(clustering, name) for name in ("labels", *EXTRAS)}
    for when, labels in (("now", history.now), ("before", history.before)):
        arrays |= {f"{when}/{name}": value for name, value in labels.items()}
    tensors = {"features": clustering.features.detach().cpu().half().contiguous()}
    for name, value in arrays.items():
        if value is not None:
            tensors[name] = torch.from_numpy(np.ascontiguousarray(value))
    about = {"stage": clustering.stage, "epoch": str(clustering.epoch)}
    write_whole(folder / CLUSTERING, save(tensors, metadata=about))


def read_history(folder: Path) -> LabelHistory:
    """The label history of a run folder; empty where there is none."""
    if not (folder / CLUSTERING).is_file():
        return LabelHistory({}, {})
    tensors, about = _load(folder / CLUSTERING)
    found: dict[str, dict[str, NDArray[np.int64]]] = {"now": {}, "before": {}}
    for name, value in tensors.items():
        when, slash, modality = name.partition("/")
        if slash:
            found[when][modality] = value.numpy()
    return LabelHistory(**found, stage=about.get("stage", ""), epoch=int(about.get("epoch", 0)))


def read_clustering(folder: Path, root: Path) -> StoredClustering:
    """The last clustering of a run; of a finished stage one without it, the artefact.

    The frames lie below ``root``.

    Raises:
        FileNotFoundError: the run keeps no clustering.
        ValueError: a file is malformed, or the files do not fit each other.
    """
    kept, table = folder / CLUSTERING, folder / TRACKS
    if kept.is_file() and table.is_file():
        tensors, about = _load(kept)
        tracks = read_track_table(table, root)[0]
        found = {name: tensors[name].numpy() for name in EXTRAS if name in tensors}
        if "features" not in tensors or "labels" not in tensors:
            raise ValueError(f"{kept}: expected tensors `features` and `labels`")
        return _checked(
            StoredClustering(
                tracks,
                tensors["features"].float(),
                tensors["labels"].numpy(),
                **found,
                stage=about.get("stage", ""),
                epoch=int(about.get("epoch", 0)),
            ),
            kept,
        )
    features, table = folder / "features.safetensors", folder / "tracks.csv"
    if not features.is_file() or not table.is_file():
        raise FileNotFoundError(f"{CLUSTERING} is not in the run folder")
    tensors, _ = _load(features)
    tracks, rows = read_track_table(table, root, COLUMNS)
    if not {"visible", "infrared"} <= tensors.keys():
        raise ValueError(f"{features}: expected tensors `visible` and `infrared`")
    return _checked(
        StoredClustering(
            tracks,
            torch.cat([tensors["visible"], tensors["infrared"]]).float(),
            np.array([row["pseudo_label"] for row in rows]).astype(np.int64),
            stage="baseline",
        ),
        features,
    )


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            about = dict(file.metadata() or {})
        return load_file(path), about
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _checked(clustering: StoredClustering, path: Path) -> StoredClustering:
    count = len(clustering.tracks)
    held = {name: getattr(clustering, name) for name in ("features", "labels", "unified")}
    wrong = [f"{len(v)} {name}" for name, v in held.items() if v is not None and len(v) != count]
    if wrong:
        raise ValueError(f"{path}: {count} tracks are listed, but it holds {', '.join(wrong)}")
    return clustering
