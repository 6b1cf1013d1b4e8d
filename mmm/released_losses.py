"""What teaches in the released code of MMM, given what the network computed for a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..datasets.track import Modality
from ..losses import BatchHardTripletLoss
from ..losses.inputs import at_least_float32
from ..models.network import BatchOutput
from ..transfers import places, to_device
from .alignment import view_alignment
from .self_mimic import ViewPrototypes, absolute_mimic

# Number of the exchanged view of visible images; 0 and 1 are the modalities' codes.
EXCHANGED = len(Modality)
MARGIN = 0.2


class ViewBatch(NamedTuple):
    """What is known of the rows of a batch; rows of visible images come once for each view.

    It lies on the CPU, where it is known before the device has computed anything.

    Attributes:
        labels: [B] int64 classes.
        modalities: [B] int64.
        exchanged: [B] bool, second views of visible images.
        confidence: [B] floating point, weight of each row; None before the main phase.
    """

    labels: Tensor
    modalities: Tensor
    exchanged: Tensor
    confidence: Tensor | None = None

    @property
    def views(self) -> Tensor:
        """[B] int64: 0 plain visible, 1 infrared, 2 exchanged visible."""
        return torch.where(self.exchanged, EXCHANGED, self.modalities)


def identity_losses(
    output: BatchOutput, batch: ViewBatch, ambiguous: Tensor | None = None
) -> dict[str, Tensor]:
    """Mean over the rows of confidence times cross entropy, of images or clips, and of frames.

    Without confidences, which is the warm-up, every row weighs 1.

    Args:
        output: of a network with a classifier.
        batch: B rows.
        ambiguous: [C, C] bool, classes that are not each other's negatives.

    Returns:
        ``ID``, and ``ID frame`` for a network with a classifier of frames.
    """
    assert output.logits is not None
    labels, device = batch.labels, output.logits.device
    weights = torch.ones_like(labels) if batch.confidence is None else batch.confidence
    labels, weights = to_device(labels, device), to_device(weights, device)
    losses = {"ID": _cross_entropy(output.logits, labels, weights, ambiguous)}
    if output.frame_logits is not None:
        frames = output.frame_logits.shape[1]
        losses["ID frame"] = _cross_entropy(
            output.frame_logits.flatten(0, 1),
            labels.repeat_interleave(frames),
            weights.repeat_interleave(frames),
            ambiguous,
        )
    return losses


def main_losses(
    output: BatchOutput,
    batch: ViewBatch,
    prototypes: ViewPrototypes,
    weights: Mapping[str, float],
    *,
    margin: float = MARGIN,
    ambiguous: Tensor | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of the main phase.

    Confidence-weighted cross entropy; batch-hard triplets; the L1 distance of each row to the
    prototype of its class and view, times its confidence, where the visible views share the weight
    of one; the soft cluster alignment of each visible view with infrared. Triplets, L1 and
    alignment take the features before the neck, as they are. Source: the code released with MMM.

    Args:
        output: of a network with a classifier.
        batch: B rows, with confidences.
        prototypes: of the pass before.
        weights: of the terms, by name; a term that is not in here is not computed.
        margin: of the triplets.
        ambiguous: see :func:`identity_losses`.

    Returns:
        Of ``ID`` (with ``ID frame``), ``triplet``, ``visible mimic``, ``infrared mimic``, ``visible
        alignment`` and ``infrared alignment`` those that have a weight, times it.
    """
    assert batch.confidence is not None
    pooled, device = at_least_float32(output.pooled), output.pooled.device
    labels = to_device(batch.labels, device)
    losses = identity_losses(output, batch, ambiguous)
    losses["triplet"] = BatchHardTripletLoss(margin)(pooled, labels)
    if "visible mimic" in weights:
        visible = batch.modalities == Modality.VISIBLE
        targets = prototypes.values[to_device(batch.views, device), labels]
        distance = absolute_mimic(pooled, targets, to_device(batch.confidence, device))
        # A mean over the rows: where an image is there in two views, each counts half.
        losses["visible mimic"] = _mean(distance[places(visible, device)])
        losses["infrared mimic"] = _mean(distance[places(~visible, device)])
    if "visible alignment" in weights:
        moved = view_alignment(pooled, batch.labels, batch.modalities, batch.exchanged)
        losses["visible alignment"], losses["infrared alignment"] = moved
    return {name: weights[name] * loss for name, loss in losses.items() if name in weights}


def _mean(values: Tensor) -> Tensor:
    """Mean; 0 with a gradient of 0 of nothing."""
    return values.sum() / max(len(values), 1)


def _cross_entropy(
    logits: Tensor, labels: Tensor, weights: Tensor, ambiguous: Tensor | None
) -> Tensor:
    logits = at_least_float32(logits)
    if ambiguous is not None:
        logits = logits.masked_fill(ambiguous[labels], float("-inf"))
    return (weights * F.cross_entropy(logits, labels, reduction="none")).mean()
