"""What the triplet losses share."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class TripletDistances(NamedTuple):
    """Distance of each anchor to its positives and to its negatives.

    Attributes:
        positive: [B].
        negative: [B].
    """

    positive: Tensor
    negative: Tensor

    @property
    def correct(self) -> Tensor:
        """Number of anchors whose negative is not closer than their positive, scalar int64."""
        return (self.negative >= self.positive).sum()
