"""Takes out of features what all sightings of one camera share."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import transfers

# A rest this small beside the feature is the rounding of the mean and has no direction.
NOTHING_LEFT = 1e-6


def centre_by_camera(features: Tensor, cameras: Tensor | ArrayLike) -> Tensor:
    """Subtracts each camera's mean feature and scales the rows to length 1 again.

    Background, light and colour cast of a camera otherwise draw its sightings together, and
    clusters become cameras.

    Args:
        features: ``[N, D]`` floating point; half precision is computed in float32.
        cameras: camera of each row, ``[N]`` integers, any numbering.

    Returns:
        ``[N, D]`` unit rows on the features' device; a row that equals its camera's mean (a camera
        with one sighting) keeps no direction and is 0.

    Raises:
        ValueError: cameras of another length than the features.
    """
    known = transfers.host_array(cameras)
    if features.ndim != 2 or known.shape != tuple(features.shape[:1]):
        raise ValueError(
            f"expected features [N, D] and cameras [N], found {tuple(features.shape)} and "
            f"{known.shape}"
        )
    if features.dtype not in (torch.float32, torch.float64):
        features = features.float()
    _, group, sizes = np.unique(known, return_inverse=True, return_counts=True)
    sums = transfers.group_sums(features, group, len(sizes))
    counts = transfers.to_device(sizes, features.device).to(features.dtype)
    centred = features - transfers.rows_at(sums / counts[:, None], group)
    length = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    nothing = length <= NOTHING_LEFT * torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return torch.where(nothing, torch.zeros_like(centred), centred / length)
