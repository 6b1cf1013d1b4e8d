"""How far to trust each track's label, from the losses of all tracks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import transfers
from ..datasets.track import Modality
from .confidence import clean_probability, normalise_losses


def track_confidence(
    logits: Tensor, labels: Tensor, modalities: np.ndarray, *, seed: int = 0
) -> Tensor:
    """Probability that a track's unified label is right, fitted for each modality.

    Args:
        logits: [N, C] of all tracks, on any device.
        labels: [N] int64, -1 = noise.
        modalities: [N].
        seed: of the fit.

    Returns:
        [N] float32 on the CPU; 0 for noise.
    """
    # The fit runs on the host.
    losses = torch.from_numpy(transfers.to_host(track_losses(logits, labels)))
    return view_confidence(losses[None], labels, modalities, seed=seed)[0]


def track_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of each track, [N] on the device of the logits; 0 for noise.

    Args:
        logits: [N, C].
        labels: [N] int64, -1 = noise.
    """
    targets = labels.to(logits.device, non_blocking=True)
    return F.cross_entropy(logits, targets, ignore_index=-1, reduction="none")


def view_confidence(
    losses: Tensor, labels: Tensor, modalities: np.ndarray, *, seed: int = 0
) -> Tensor:
    """The same from losses, where the visible images may be seen in several views.

    The losses of each view are scaled to 0 … 1 by themselves; the visible views are then fitted
    together. Source: MMM, confidence; the released code, which does so.

    Args:
        losses: [views, N] cross entropy of each track; infrared entries of any but the first view
            are not read, NaN is a track that was never visited.
        labels: [N] int64, -1 = noise.
        modalities: [N].
        seed: of the fit.

    Returns:
        [views, N] float32; 0 for noise and for infrared entries of any view but the first.
    """
    confidence = torch.zeros(losses.shape)
    for modality in Modality:
        chosen = torch.from_numpy(modalities == modality) & (labels >= 0)
        if not bool(chosen.any()):
            continue
        views = losses if modality == Modality.VISIBLE else losses[:1]
        rows = [view[chosen] for view in views]
        scaled = rows[0] if len(rows) == 1 else torch.cat([normalise_losses(r) for r in rows])
        probability = clean_probability(scaled, seed=seed).float()
        confidence[: len(rows), chosen] = probability.unflatten(0, (len(rows), -1))
    return confidence
