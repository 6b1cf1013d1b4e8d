"""Checks features at the door and brings them to the form that clustering works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

# Rows of this squared length (within the tolerance) are used as they lie, without a copy.
UNIT_TOLERANCE = 2e-6
BLOCK_ELEMENTS = 1 << 22


def as_matrix(features: Tensor | ArrayLike, name: str = "features") -> Tensor:
    """Brings a matrix of features into one form, and refuses what is none.

    Args:
        features: ``[N, D]`` floating point, tensor or array; half precision is upcast to
            float32, any memory layout is accepted.
        name: what to call the argument in a message.

    Returns:
        Detached contiguous tensor ``[N, D]``, float32 or float64, on the input's device.

    Raises:
        ValueError: not two-dimensional, no column, or a value that is NaN or infinite.
        TypeError: not floating point.
    """
    if not isinstance(features, Tensor):
        # torch shares the array's memory and wants it writable, hence a copy of a read-only one.
        features = torch.from_numpy(np.require(features, requirements=["C", "W"]))
    features = features.detach()
    if features.ndim != 2 or features.shape[1] == 0:
        raise ValueError(
            f"{name}: expected a matrix [N, D] of features, found shape {tuple(features.shape)}"
        )
    if not features.dtype.is_floating_point:
        raise TypeError(f"{name}: expected floating point values, found {features.dtype}")
    if features.dtype not in (torch.float32, torch.float64):
        features = features.float()
    features = features.contiguous()
    step = max(1, BLOCK_ELEMENTS // features.shape[1])
    for start in range(0, len(features), step):
        block = features[start : start + step]
        # A NaN or an infinity survives a sum, so the costly look happens only where one may be.
        if not torch.isfinite(block.sum()):
            bad = (~torch.isfinite(block)).any(1).nonzero().flatten()
            if len(bad):
                row = start + int(bad[0])
                raise ValueError(
                    f"{name}: row {row} of {len(features)} holds a NaN or an infinite value; "
                    "look at the loss of the last epoch and at the sample behind this row"
                )
    return features


def unit_rows(features: Tensor | ArrayLike, name: str = "features") -> Tensor:
    """Checks features and scales every row to length 1.

    Rows that have length 1 already are not touched; if all have, nothing is copied. A row of
    zeros stays zero: its cosine with everything is 0.

    Args:
        features: as for :func:`as_matrix`.
        name: what to call the argument in a message.

    Returns:
        Contiguous float32 tensor ``[N, D]`` on the input's device.

    Raises:
        ValueError: see :func:`as_matrix`; no row at all.
        TypeError: see :func:`as_matrix`.
    """
    matrix = as_matrix(features, name)
    if len(matrix) == 0:
        raise ValueError(
            f"{name}: expected at least one row, found none; a modality without any sample cannot "
            "be clustered"
        )
    lengths = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    if not torch.isfinite(lengths).all():  # squares overflowed: values beyond 1e19
        matrix = matrix / matrix.abs().amax(1, keepdim=True).clamp_min(1.0)
        lengths = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    done = (lengths.square() - 1).abs() <= UNIT_TOLERANCE
    if not done.all():
        matrix = matrix / torch.where(done | (lengths == 0), torch.ones_like(lengths), lengths)
    return matrix.float()


@contextmanager
def exact_matmul(device: torch.device) -> Iterator[None]:
    """Keeps float32 products on a device in float32: no autocast, no TF32, no bf16 inside."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False), torch.no_grad():
            yield
    finally:
        torch.set_float32_matmul_precision(before)
