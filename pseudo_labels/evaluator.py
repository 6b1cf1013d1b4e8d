"""The only holder of true identities in a run without labels: it measures and never teaches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import transfers
from ..datasets.track import Modality, Track
from ..distributed import ranks
from ..errors import as_user_error
from .artefact import write_artefact
from .label_quality import label_quality, match_quality
from .majority import majority_share
from .stored_clustering import LabelHistory, StoredClustering, read_history, write_clustering
from .unlabelled_quality import matching_margins, mean_silhouette, shared_clusters, stability


class Record(Protocol):
    """Where scores go: a run folder, or whatever keeps records and lines."""

    path: Path
    resumed: bool

    def record(self, kind: str, **values: Any) -> None:
        """Keeps one record."""

    def log(self, message: str) -> None:
        """Says a line."""


class PseudoLabelEvaluator:
    """Compares pseudo-labels with the data set's identities and records the scores.

    In all methods ``labels`` are [N] int64, -1 = noise; ``stage``, ``epoch`` (from 1) and ``step``
    (of the run) say when.

    Args:
        tracks: the N training tracks, identities included.
        run: where to record.
        root: data folder, below which the frames lie.
        picture: draws a matching, with the steps of the run so far; None draws none.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        run: Record,
        root: Path | None = None,
        picture: Callable[[StoredClustering, int], None] | None = None,
    ) -> None:
        self._tracks = list(tracks)
        self._picture = picture
        self._root = Path() if root is None else root
        self._cameras = np.array([track.camera for track in tracks])
        self._history = LabelHistory({}, {})
        known = all(track.identity is not None for track in tracks)
        self._identities = np.array([track.identity for track in tracks]) if known else None
        self._modalities = np.array([track.modality for track in tracks])
        self._run = run
        if run.resumed:
            with as_user_error():
                self._history = read_history(run.path, self._modalities)

    def labels(
        self,
        labels: np.ndarray,
        stage: str,
        epoch: int,
        step: int,
        modality: Modality | None,
        features: Tensor | None = None,
    ) -> None:
        """Records a clustering: its size, what needs no identity, agreement with identities.

        Args:
            labels: of all tracks, -1 = noise or other modality.
            modality: which tracks were clustered; None = all, jointly.
            features: [N, D] rows that were clustered; None leaves the silhouette out.
        """
        chosen = np.ones(len(labels), bool) if modality is None else self._modalities == modality
        name = "joint" if modality is None else modality.name.lower()
        picked = labels[chosen]
        clustered = picked[picked >= 0]
        sizes = np.bincount(clustered, minlength=1)
        values: dict[str, Any] = {
            "clusters": int((sizes > 0).sum()),
            "noise": float((picked < 0).mean()),
            "largest": int(sizes.max()),
            **self._without_identities(picked, chosen, name, features, (stage, epoch)),
        }
        text = (
            f"{stage} {epoch}: {name}: {values['clusters']} clusters, "
            f"{values['noise']:.0%} noise, largest {values['largest']}"
        )
        if self._identities is not None:
            quality = label_quality(picked, self._identities[chosen])
            values.update(quality.record())
            text += (
                f" | {quality.identities} identities, ARI {quality.ari:.3f}, "
                f"purity {quality.purity:.3f}"
            )
        self._run.record(
            "pseudo_labels", stage=stage, epoch=epoch, step=step, modality=name, **values
        )
        self._run.log(text)

    def _without_identities(
        self,
        picked: np.ndarray,
        chosen: np.ndarray,
        name: str,
        features: Tensor | None,
        moment: tuple[str, int],
    ) -> dict[str, float]:
        values = {"camera_purity": majority_share(picked, self._cameras[chosen])}
        if name == "joint":
            values["mixed"] = shared_clusters(picked, self._modalities[chosen])
        history = self._history
        if (history.stage, history.epoch) != moment or name in history.now:
            # The first clustering of this moment, or the moment that a killed run had begun.
            before = history.before_that_of(*moment)
            history = self._history = LabelHistory({}, before, *moment)
        if name in history.before:
            values["stability"] = stability(history.before[name], picked)
        history.now[name] = picked.copy()
        if features is not None:
            rows = features if chosen.all() else transfers.rows_at(features, chosen)
            values["silhouette"] = mean_silhouette(rows, picked)
        return {key: value for key, value in values.items() if not math.isnan(value)}

    def keep(
        self,
        features: Tensor,
        labels: np.ndarray,
        stage: str,
        epoch: int,
        *,
        unified: np.ndarray | None = None,
        assignment: ArrayLike | None = None,
        cost: ArrayLike | None = None,
    ) -> None:
        """Keeps a clustering in the run folder, in place of the one before, for the report.

        Args:
            features: [N, D] rows that were clustered.
            labels: counted within each modality.
            unified: [N] int64 labels over both modalities, where there are any.
            assignment: [V] infrared cluster of each visible one, -1 = none.
            cost: [V, I] what the match cost.
        """
        if not ranks.is_main():
            return
        write_clustering(
            self._run.path,
            StoredClustering(
                self._tracks,
                features,
                labels,
                unified,
                None if assignment is None else np.asarray(assignment, np.int64),
                None if cost is None else np.asarray(cost, np.float32),
                stage,
                epoch,
            ),
            self._root,
            self._history,
        )

    def confidence(
        self, confidence: Tensor, labels: np.ndarray, stage: str, epoch: int, step: int
    ) -> None:
        """Records how much the unified labels are trusted: ``confidence`` [N] in [0, 1]."""
        values = confidence.detach().cpu().numpy()
        for modality in Modality:
            chosen = values[(self._modalities == modality) & (labels >= 0)]
            if len(chosen):
                self._run.record(
                    "confidence",
                    stage=stage,
                    epoch=epoch,
                    step=step,
                    modality=modality.name.lower(),
                    mean=float(chosen.mean()),
                    trusted=float((chosen > 0.5).mean()),
                )

    def matching(
        self,
        labels: np.ndarray,
        assignment: np.ndarray,
        stage: str,
        epoch: int,
        step: int,
        cost: ArrayLike | None = None,
    ) -> None:
        """Records which infrared cluster each visible cluster was matched with.

        Args:
            labels: counted within each modality.
            assignment: [V] infrared cluster of each visible one, -1 = none.
            cost: [V, I] what the match cost; None leaves the margin out.
        """
        visible = self._modalities == Modality.VISIBLE
        values: dict[str, Any] = {
            "visible_clusters": len(assignment),
            "infrared_clusters": int(labels[~visible].max(initial=-1)) + 1,
            "matched": int((assignment >= 0).sum()),
        }
        margins = np.zeros(0) if cost is None else matching_margins(cost)
        if len(margins):
            values["margin"] = float(np.median(margins))
        text = (
            f"{stage} {epoch}: {values['matched']} of {values['visible_clusters']} visible "
            f"clusters matched to {values['infrared_clusters']} infrared ones"
        )
        if self._identities is not None:
            quality = match_quality(
                labels[visible],
                self._identities[visible],
                labels[~visible],
                self._identities[~visible],
                assignment,
            )
            values.update(quality.record())
            text += f" | right: {quality.accuracy:.0%} of them, {quality.precision:.0%} of pairs"
        self._run.record("matching", stage=stage, epoch=epoch, step=step, **values)
        if self._picture is not None:
            # The picture looks at labels and costs only, so the rows may be empty.
            empty = torch.zeros(len(labels), 0)
            costs = None if cost is None else np.asarray(cost, np.float32)
            found = np.asarray(assignment, np.int64)
            self._picture(
                StoredClustering(self._tracks, empty, labels, assignment=found, cost=costs), step
            )
        self._run.log(text)

    def write_artefact(self, labels: np.ndarray, features: Tensor, metrics: dict[str, Any]) -> None:
        """Writes the stage-one artefact into the run folder; see :func:`write_artefact`."""
        write_artefact(self._run.path, self._tracks, labels, features, metrics)
