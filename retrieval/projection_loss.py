"""What fewer numbers a vector cost: mAP of a run's test split, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import as_user_error
from ..evaluation.protocols import protocols_of
from ..evaluation.trials import evaluate
from ..pseudo_labels.stored_clustering import read_clustering
from ..reporting.run_record import RunRecord, read_run, read_test_features, read_test_tracks
from .projection import Projection


@dataclass(frozen=True)
class ProjectionLoss:
    """mAP of one protocol; fractions of 1.

    Attributes:
        protocol: its name.
        whole: with the features as the network gives them.
        projected: with the vectors of the index.
    """

    protocol: str
    whole: float
    projected: float

    def __str__(self) -> str:
        change = 100 * (self.projected - self.whole)
        return (
            f"{self.protocol}: mAP {100 * self.whole:.2f} with whole features, "
            f"{100 * self.projected:.2f} with vectors of the index ({change:+.2f})"
        )


def training_features(run: Path) -> Tensor | None:
    """Features of training tracks that a run keeps, those of its last clustering; None without.

    Args:
        run: a run folder.

    Raises:
        UserError: they are damaged.
    """
    try:
        with as_user_error():
            # Frames are not looked at.
            return read_clustering(run, Path()).features
    except FileNotFoundError:
        return None


def projection_losses(run: Path, projection: Projection) -> list[ProjectionLoss]:
    """What the projection costs on the test split, with the features that the run keeps.

    Args:
        run: a run folder.
        projection: from features to vectors.

    Returns:
        One for each protocol; none where the run keeps no test features.

    Raises:
        UserError: a file of the run is damaged.
    """
    try:
        with as_user_error():
            record = read_run(run)
            dataset = read_test_tracks(record)
            features, keys = read_test_features(record)
            protocols = protocols_of(dataset, _setting(record, "protocol"))
            row_of = {key: row for row, key in enumerate(keys)}
            tracks = [t for t in (*dataset.query, *dataset.gallery) if t.key in row_of]
            rows = features[torch.tensor([row_of[track.key] for track in tracks])]
            whole = evaluate(rows.float(), tracks, protocols)
            projected = evaluate(projection.compared(rows), tracks, protocols)
    except FileNotFoundError:
        return []
    return [
        ProjectionLoss(first.record()["protocol"], first.record()["mAP"], second.record()["mAP"])
        for first, second in zip(whole, projected)
    ]


def _setting(record: RunRecord, name: str) -> str:
    return str(record.setting(name) or "")
