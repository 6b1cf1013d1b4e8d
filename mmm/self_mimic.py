"""Self-mimic loss (MMM's intra loss): samples imitate the confident part of their own class."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .. import transfers

# Keeps a class without any confident member at its plain mean.
LEAST_WEIGHT = 1e-4
# Views of the released code: plain visible, infrared, exchanged visible.
VIEWS = 3


def confident_means(features: Tensor, labels: Tensor, weights: Tensor, count: int) -> Tensor:
    """Confidence-weighted unit means; plain where no member is confident.

    Args:
        features: [N, D] unit features.
        labels: [N] int64, -1 = noise.
        weights: [N] in [0, 1].
        count: number of classes C.

    Returns:
        [C, D] unit rows on the device of the features; zeros for a class without a member.
    """
    classes = transfers.host_array(labels)
    kept = np.flatnonzero(classes >= 0)
    share = transfers.rows_at(weights.to(features.device, non_blocking=True), kept) + LEAST_WEIGHT
    rows = transfers.rows_at(features, kept) * share[:, None]
    return F.normalize(transfers.group_sums(rows, classes[kept], count), dim=1)


def squared_mimic(embeddings: Tensor, targets: Tensor) -> Tensor:
    """Mean squared Euclidean distance to the confident memory (MMM, the paper).

    Args:
        embeddings: [B, D], normalised here.
        targets: [B, D] unit rows.
    """
    distance = F.normalize(embeddings.float(), dim=1) - targets
    return distance.square().sum(1).mean()


class ViewPrototypes:
    """The prototypes of the released code, of each class in each view, renewed by a pass.

    A prototype is the sum of confidence times feature over the rows of its class, divided by the
    number of the rows. Until the first pass is complete all are 0; a class without a row keeps
    what it had. Views are numbered as in :class:`~vireid.mmm.released_losses.ViewBatch`.

    Args:
        classes: number of classes C.
        width: length D of a feature.
        like: gives device and floating-point type.

    Attributes:
        values: [3, C, D], a matrix for each view.
    """

    def __init__(self, classes: int, width: int, like: Tensor) -> None:
        shape = (VIEWS, classes)
        self.values = torch.zeros(*shape, width, device=like.device, dtype=like.dtype)
        self._sums = torch.zeros_like(self.values)
        self._counts = torch.zeros(shape, device=like.device, dtype=like.dtype)

    def see(self, features: Tensor, labels: Tensor, views: Tensor, confidence: Tensor) -> None:
        """Takes in the rows of a batch.

        Args:
            features: [B, D]; rows that are not finite, as fp16 may give them, are left out.
            labels: [B] int64, 0 … C−1.
            views: [B] int64.
            confidence: [B].
        """
        rows = (features.detach() * confidence[:, None]).to(self._sums.dtype)
        finite = rows.isfinite().all(1)
        rows = rows.where(finite[:, None], 0)
        self._sums.index_put_((views, labels), rows, accumulate=True)
        counted = finite.to(self._counts.dtype)
        self._counts.index_put_((views, labels), counted, accumulate=True)

    def renew(self) -> None:
        """Ends a pass: classes that had rows get new prototypes."""
        means = self._sums / self._counts.clamp_min(1)[:, :, None]
        self.values = torch.where(self._counts[:, :, None] > 0, means, self.values)
        self._sums.zero_()
        self._counts.zero_()


def absolute_mimic(features: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean absolute difference of each row to its prototype (MMM, the released code).

    Args:
        features: [n, D], floating point, used without normalisation.
        targets: [n, D].
        weights: [n].

    Returns:
        [n], the mean over the D values times the weight.
    """
    return (features - targets).abs().mean(1) * weights
