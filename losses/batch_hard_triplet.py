"""Batch-hard triplet loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .distances import euclidean_distances
from .inputs import check_batch, in_full_precision
from .triplet import TripletDistances


class BatchHardTripletLoss(nn.Module):
    """Margin between the farthest positive and the nearest negative of each anchor.

    An anchor counts among its own positives (at the floor of the distance, 1e-6). In a batch of a
    single identity there is no negative, and the loss is 0 with a gradient of 0.

    Hermans et al., "In defense of the triplet loss" (arXiv:1703.07737), equation 5.

    Args:
        margin: how much farther the negative should be, in units of the distance.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    @in_full_precision
    def forward(self, embeddings: Tensor, identities: Tensor) -> Tensor:
        """Computes the loss of a batch.

        Args:
            embeddings: [B, D], floating point, not normalised here.
            identities: [B], integers.

        Returns:
            Scalar, float32 (float64 for float64 embeddings).

        Raises:
            ValueError: a shape does not fit.
        """
        positive, negative = self.distances(embeddings, identities)
        return F.relu(positive - negative + self.margin).mean()

    @in_full_precision
    def distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        """Finds the farthest positive and the nearest negative of each anchor.

        Args:
            embeddings: [B, D].
            identities: [B].

        Returns:
            Two distances for each anchor; the negative is infinite where there is none.

        Raises:
            ValueError: a shape does not fit.
        """
        check_batch("BatchHardTripletLoss", embeddings, identities=identities)
        distance = euclidean_distances(embeddings)
        same = identities[:, None] == identities[None, :]
        return TripletDistances(
            positive=distance.masked_fill(~same, 0).max(dim=1).values,
            negative=distance.masked_fill(same, float("inf")).min(dim=1).values,
        )
