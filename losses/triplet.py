"""What the triplet losses share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from ..models.normalize import l2_normalize
from .inputs import check_batch, in_full_precision


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
        """Sums up the distances of each anchor to its positives and to its negatives.

        Args:
            embeddings: [B, D].
            identities: [B].

        Returns:
            Two distances for each anchor.

        Raises:
            ValueError: a shape does not fit.
        """
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
