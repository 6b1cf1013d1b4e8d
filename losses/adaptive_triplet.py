"""Adaptive form of the weighted triplet loss (ADP)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.normalize import l2_normalize
from .inputs import check_batch, in_full_precision
from .triplet import TripletDistances
from .weighted_triplet import weighted_distances

# exp(88) is the last power that float32 holds.
SQUARE_CAP = 88.0


class AdaptiveTripletLoss(nn.Module):
    """Weighted triplet loss with a sharpness of the weights and a scaled or squared difference.

    With positive p and negative n averaged as in the weighted loss, but with weights
    softmax(± alpha d), the loss is softplus(gamma (p - n)), or with ``square``
    softplus(sign(p - n) min(gamma (p - n)², 88)), where the sign of 0 is -1. Beyond the cap the
    gradient is 0.

    Ye et al., "Channel augmented joint learning for visible-infrared recognition" (ICCV 2021),
    enhanced weighted triplet loss.

    Args:
        alpha: sharpness of the weights.
        gamma: factor of the difference or of its square.
        square: take the signed square of the difference.
        normalize_feature: divide the embeddings by their length first.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        gamma: float = 1.0,
        square: bool = False,
        *,
        normalize_feature: bool = False,
    ) -> None:
        super().__init__()
        self.alpha = alpha
        self.gamma = gamma
        self.square = square
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
        positive, negative = self.distances(embeddings, identities)
        difference = negative - positive
        if self.square:
            square = (self.gamma * difference.square()).clamp(max=SQUARE_CAP)
            margin = torch.where(difference < 0, -square, square)
        else:
            margin = self.gamma * difference
        return -F.logsigmoid(margin).mean()

    @in_full_precision
    def distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        """Averages the distances to positives and negatives with their weights.

        Args:
            embeddings: [B, D].
            identities: [B].

        Returns:
            Two distances for each anchor.

        Raises:
            ValueError: a shape does not fit.
        """
        check_batch("AdaptiveTripletLoss", embeddings, identities=identities)
        return weighted_distances(
            l2_normalize(embeddings) if self.normalize_feature else embeddings,
            identities,
            self.alpha,
        )
