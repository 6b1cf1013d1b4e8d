"""In-batch contrast of embeddings that share a label against the others of their group."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ContrastiveLoss(nn.Module):
    """Supervised contrastive loss (Khosla et al. 2020, eq. 2), optionally within groups.

    With the tracklet as label and two clips of each it is InfoNCE (van den Oord et al. 2018);
    with pseudo-labels it pulls whole clusters together. A pair of different groups (for
    instance cameras) is neither positive nor negative, so what tells groups apart is not learnt.

    Args:
        temperature: divisor of the cosines, > 0.

    Raises:
        ValueError: ``temperature`` is not positive.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"temperature must be positive; got {temperature}")
        self.temperature = temperature

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        groups: Tensor | None = None,
        excluded: Tensor | None = None,
    ) -> Tensor:
        """Mean over the anchors that have a positive.

        Args:
            embeddings: [B, D], any length; normalised inside, in float32 or float64.
            labels: [B] int64; a negative label is nobody's positive.
            groups: [B] int64, only pairs of one group are compared; None compares all.
            excluded: [B, B] bool, pairs that are neither positive nor negative; None = none.

        Returns:
            Scalar in nats; 0 with zero gradient when no anchor has a positive.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            if embeddings.dtype not in (torch.float32, torch.float64):
                embeddings = embeddings.float()
            unit = F.normalize(embeddings, dim=1)
            similarity = unit @ unit.t() / self.temperature
            compared = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
            if groups is not None:
                compared &= groups[:, None] == groups[None, :]
            if excluded is not None:
                compared &= ~excluded.to(compared.device)
            positive = compared & (labels[:, None] == labels[None, :]) & (labels >= 0)[:, None]
            # The fill is finite, so that an anchor without any partner gives 0 instead of NaN.
            logits = similarity.masked_fill(~compared, -1e4)
            log_probability = logits - torch.logsumexp(logits, dim=1, keepdim=True)
            count = positive.sum(1)
            mean_positive = (log_probability * positive).sum(1) / count.clamp(min=1)
            anchors = (count > 0).to(mean_positive.dtype)
            return -(mean_positive * anchors).sum() / anchors.sum().clamp(min=1)
