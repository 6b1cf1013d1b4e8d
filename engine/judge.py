"""The only holder of true identities in a run without labels: it measures and never teaches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..datasets.track import Modality, Track
from ..evaluation.label_quality import label_quality, match_quality
from .run_folder import RunFolder


class LabelJudge:
    """Compares pseudo-labels with the data set's identities and records the scores.

    Args:
        tracks: the N training tracks, identities included.
        run: where to record.
    """

    def __init__(self, tracks: Sequence[Track], run: RunFolder) -> None:
        known = all(track.identity is not None for track in tracks)
        self._identities = np.array([track.identity for track in tracks]) if known else None
        self._modalities = np.array([track.modality for track in tracks])
        self._run = run

    def labels(
        self, labels: np.ndarray, stage: str, epoch: int, step: int, modality: Modality | None
    ) -> None:
        """Records a clustering.

        Args:
            labels: [N] int64 pseudo-labels of all tracks, -1 = noise or other modality.
            stage: name of the stage.
            epoch: epoch, from 1.
            step: steps of the run so far.
            modality: which tracks were clustered; None = all, jointly.
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

    def matching(
        self, labels: np.ndarray, assignment: np.ndarray, stage: str, epoch: int, step: int
    ) -> None:
        """Records which infrared cluster each visible cluster was matched with.

        Args:
            labels: [N] int64, counted within each modality, -1 = noise.
            assignment: [V] infrared cluster of each visible one, -1 = none.
        """
        visible = self._modalities == Modality.VISIBLE
        values: dict[str, Any] = {
            "visible_clusters": len(assignment),
            "infrared_clusters": int(labels[~visible].max(initial=-1)) + 1,
            "matched": int((assignment >= 0).sum()),
        }
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
        self._run.log(text)
