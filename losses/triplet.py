"""What the triplet losses share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..models.normalize import l2_normalize
from .inputs import check_batch, in_full_precision

# Floor of the squared distance: the root has no gradient at 0, so a distance is at least 1e-6.
SQUARED_FLOOR = 1e-12


class TripletDistances(NamedTuple):
    """Distance of each anchor to its positives and to its negatives.

    Attributes:
        positive: [B].
        negative: [B].
    """

    positive: Tensor
    negative: Tensor


class TripletLoss(nn.Module, ABC):
    """Mean over the anchors of a penalty on the distances to positives and negatives.

    Args:
        normalize_feature: divide the embeddings by their length first.
    """

    def __init__(self, *, normalize_feature: bool = False) -> None:
        super().__init__()
        self.normalize_feature = normalize_feature

    @in_full_precision
    def forward(self, embeddings: Tensor, identities: Tensor) -> Tensor:
        """Computes the loss of a batch.

        Args:
            embeddings: [B, D], floating point.
            identities: [B], integers.

        Returns:
            Scalar, float32 (float64 for float64 embeddings).

        Raises:
            ValueError: a shape does not fit.
        """
        return self._penalties(*self.distances(embeddings, identities)).mean()

    @in_full_precision
    def distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        """Distances of each anchor to its positives and to its negatives; see :meth:`forward`."""
        check_batch(type(self).__name__, embeddings, identities=identities)
        if self.normalize_feature:
            embeddings = l2_normalize(embeddings)
        return self._distances(embeddings, identities)

    @abstractmethod
    def _distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        """The two distances of each anchor, of checked embeddings."""

    @abstractmethod
    def _penalties(self, positive: Tensor, negative: Tensor) -> Tensor:
        """What each anchor adds to the loss, [B]."""


def euclidean_distances(rows: Tensor) -> Tensor:
    """Euclidean distances between all rows, by one matrix product.

    Args:
        rows: [N, D], float32 or float64.

    Returns:
        [N, N], at least 1e-6, which is what the diagonal holds; values at that floor carry no
        gradient.
    """
    squares = rows.square().sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2 * (rows @ rows.t())
    # The difference of equal numbers is rounding noise, of which the root would make 1e-3.
    itself = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    return squared.masked_fill(itself, 0).clamp(min=SQUARED_FLOOR).sqrt()
