"""The last clustering of a run on disk: training tracks, features, labels and the match."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from ..datasets.track import Modality, Track
from ..datasets.track_table import read_track_table, track_table
from ..files import write_whole
from ..models.state_files import check_finite, read_tensors
from ..reading import is_count, shortened
from .artefact import COLUMNS, read_labels, read_stage_one_features

TRACKS, CLUSTERING = "train_tracks.csv", "last_clustering.safetensors"
EXTRAS = ("unified", "assignment", "cost")  # what not every clustering has
DIMENSIONS = {"features": 2, "labels": 1, "unified": 1, "assignment": 1, "cost": 2}


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
    tensors = {"features": clustering.features.detach().half().cpu().contiguous()}
    for name, value in arrays.items():
        if value is not None:
            tensors[name] = torch.from_numpy(np.ascontiguousarray(value))
    about = {"stage": clustering.stage, "epoch": str(clustering.epoch)}
    write_whole(folder / CLUSTERING, save(tensors, metadata=about))


def read_history(folder: Path, modalities: NDArray[np.int64]) -> LabelHistory:
    """The label history of a run folder; empty where there is none.

    Args:
        folder: the run folder.
        modalities: [N] of the training tracks.

    Raises:
        ValueError: the file is damaged, or belongs to other tracks.
    """
    if not (folder / CLUSTERING).is_file():
        return LabelHistory({}, {})
    tensors, about = _load(folder / CLUSTERING)
    counts = {m.name.lower(): int((modalities == int(m)).sum()) for m in Modality}
    counts["joint"] = len(modalities)
    found: dict[str, dict[str, NDArray[np.int64]]] = {"now": {}, "before": {}}
    for name, value in tensors.items():
        when, slash, modality = name.partition("/")
        if not slash:
            continue
        if when not in found or value.dtype != torch.int64 or modality not in counts:
            raise ValueError(f"{folder / CLUSTERING}: {shortened(name)} is no list of labels")
        if value.shape != (counts[modality],):
            raise ValueError(
                f"{folder / CLUSTERING}: {shortened(name)} has the shape {list(value.shape)}, "
                f"wanted are {counts[modality]} labels: the training tracks are not those with "
                "which the run started, or the file is damaged"
            )
        if bool((value < -1).any() or (value >= max(1, len(value))).any()):
            raise ValueError(f"{folder / CLUSTERING}: {shortened(name)} holds no labels")
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
        if not tensors.get("features", torch.ones(1)).is_floating_point():
            raise ValueError(f"{kept}: expected floating-point features")
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
    tracks, rows = read_track_table(table, root, COLUMNS)
    visible, infrared = read_stage_one_features(features)
    return _checked(
        StoredClustering(
            tracks,
            torch.cat([visible, infrared]),
            read_labels(rows, table),
            stage="baseline",
        ),
        features,
    )


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    tensors, about = read_tensors(path)
    if not is_count(about.get("epoch", "0")):
        raise ValueError(f"{path}: expected a number as epoch, found {shortened(about['epoch'])}")
    check_finite({k: v for k, v in tensors.items() if k == "features"}, str(path))
    return tensors, about


def _checked(clustering: StoredClustering, path: Path) -> StoredClustering:
    count = len(clustering.tracks)
    for name, dimensions in DIMENSIONS.items():
        value = getattr(clustering, name)
        if value is not None and value.ndim != dimensions:
            raise ValueError(f"{path}: {name} has {value.ndim} dimensions, not {dimensions}")
    for name in ("labels", "unified", "assignment"):
        value = getattr(clustering, name)
        if value is None:
            continue
        if value.dtype != np.int64 or ((value < -1) | (value >= max(1, count))).any():
            raise ValueError(f"{path}: {name} should be numbers of clusters, or -1 for none")
    if not clustering.features.numel():
        raise ValueError(f"{path}: there are no features")
    held = {name: getattr(clustering, name) for name in ("features", "labels", "unified")}
    wrong = [f"{len(v)} {name}" for name, v in held.items() if v is not None and len(v) != count]
    if wrong:
        raise ValueError(f"{path}: {count} tracks are listed, but it holds {', '.join(wrong)}")
    cost, assignment = clustering.cost, clustering.assignment
    if assignment is not None:
        most = [int(clustering.labels[clustering.of(m)].max(initial=-1)) + 1 for m in Modality]
        wanted = (most[Modality.VISIBLE], most[Modality.INFRARED])
        if len(assignment) != wanted[0] or assignment.max(initial=-1) >= wanted[1]:
            raise ValueError(f"{path}: the match does not fit {wanted[0]} x {wanted[1]} clusters")
        if cost is not None and cost.shape != wanted:
            raise ValueError(f"{path}: the cost is {cost.shape}, not {wanted}")
    return clustering
