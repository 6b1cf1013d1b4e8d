"""Adaptive form of the weighted triplet loss (ADP)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .triplet import TripletDistances, TripletLoss
from .weighted_triplet import weighted_distances

# exp(88) is the last power that float32 holds.
SQUARE_CAP = 88.0


class AdaptiveTripletLoss(TripletLoss):
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
        super().__init__(normalize_feature=normalize_feature)
        self.alpha = alpha
        self.gamma = gamma
        self.square = square

    def _distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        return weighted_distances(embeddings, identities, self.alpha)

    def _penalties(self, positive: Tensor, negative: Tensor) -> Tensor:
        difference = negative - positive
        if self.square:
            square = (self.gamma * difference.square()).clamp(max=SQUARE_CAP)
            margin = torch.where(difference < 0, -square, square)
        else:
            margin = self.gamma * difference
        return -F.logsigmoid(margin)
