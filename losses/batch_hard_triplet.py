"""Batch-hard triplet loss."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .triplet import TripletDistances, TripletLoss, euclidean_distances


class BatchHardTripletLoss(TripletLoss):
    """Margin between the farthest positive and the nearest negative of each anchor.

    An anchor counts among its own positives (at the floor of the distance, 1e-6). In a batch of a
    single identity there is no negative: its distance is infinite, and the loss is 0 with a
    gradient of 0.

    Hermans et al., "In defense of the triplet loss" (arXiv:1703.07737), equation 5.

    Args:
        margin: how much farther the negative should be, in units of the distance.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def _distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        distance = euclidean_distances(embeddings)
        same = identities[:, None] == identities[None, :]
        return TripletDistances(
            positive=distance.masked_fill(~same, 0).max(dim=1).values,
            negative=distance.masked_fill(same, float("inf")).min(dim=1).values,
        )

    def _penalties(self, positive: Tensor, negative: Tensor) -> Tensor:
        return F.relu(positive - negative + self.margin)
