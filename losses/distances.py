"""Distances between the rows of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

# Floor of the squared distance: the root has no gradient at 0, so a distance is at least 1e-6.
SQUARED_FLOOR = 1e-12


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
