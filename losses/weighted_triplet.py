"""Weighted regularised triplet loss (WRT)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .triplet import TripletDistances, TripletLoss, euclidean_distances

# Added to the sum of the weights, as published.
WEIGHT_FLOOR = 1e-6


class WeightedTripletLoss(TripletLoss):
    """Soft margin between the weighted positives and the weighted negatives of each anchor.

    All positives (the anchor among them) are averaged with weights softmax(d), all negatives with
    weights softmax(-d), and the loss is softplus(positive - negative). Gradients run through the
    weights. As published, 1e-6 is added to the sum of the negatives' weights: where all negatives
    lie beyond a distance of about 14, their mean goes to 0, so the loss is for normalised features
    or those of a moderate scale. In a batch of one identity the negative distance is 0.

    Ye et al., "Deep learning for person re-identification: a survey and outlook"
    (arXiv:2001.04193), equation 6.

    Args:
        normalize_feature: divide the embeddings by their length first.
    """

    def _distances(self, embeddings: Tensor, identities: Tensor) -> TripletDistances:
        return weighted_distances(embeddings, identities)

    def _penalties(self, positive: Tensor, negative: Tensor) -> Tensor:
        return -F.logsigmoid(negative - positive)


def weighted_distances(
    embeddings: Tensor, identities: Tensor, sharpness: float = 1.0
) -> TripletDistances:
    """Averages distances with weights that favour far positives and near negatives.

    Args:
        embeddings: [B, D], float32 or float64.
        identities: [B].
        sharpness: factor of the distances inside the exponential.

    Returns:
        Two distances for each anchor, differentiable through the weights too.
    """
    distance = euclidean_distances(embeddings)
    same = identities[:, None] == identities[None, :]
    return TripletDistances(
        positive=_weighted(distance, sharpness * distance, same),
        negative=_weighted(distance, -sharpness * distance, ~same),
    )


def _weighted(distance: Tensor, score: Tensor, mask: Tensor) -> Tensor:
    """Mean of each row with weights exp(score) where the mask holds, over their sum + 1e-6."""
    # The shift, the greatest masked score but at least 0, is part of the published formula: it
    # scales the floor. For negatives it is 0.
    score = score.masked_fill(~mask, 0)
    weights = torch.exp(score - score.max(dim=1, keepdim=True).values) * mask
    return (distance * weights).sum(dim=1) / (weights.sum(dim=1) + WEIGHT_FLOOR)
