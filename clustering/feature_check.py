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
# A mean of unit rows is no longer than 1; half precision (bfloat16) rounds it up by as much.
LONGEST_MEAN = 1 + 2**-8
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
    matrix, lengths = _measured(features, name)
    return _scaled(matrix, lengths, lengths > 0)


def bounded_rows(features: Tensor | ArrayLike, name: str = "features") -> Tensor:
    """Checks features and brings them to rows no longer than 1, as distances are taken from them.

    Unit rows and means of unit rows (of a clip and its mirror image) stay as they are: a mean is
    the shorter the less its parts agree, and the published distance looks at that. Where a row is
    longer than any such mean, the features are of another kind, and all rows are scaled to
    length 1 as by :func:`unit_rows`.

    Args:
        features: as for :func:`as_matrix`.
        name: what to call the argument in a message.

    Returns:
        Contiguous float32 tensor ``[N, D]`` on the input's device, without a copy where nothing
        had to be done.

    Raises:
        ValueError: see :func:`unit_rows`.
        TypeError: see :func:`as_matrix`.
    """
    matrix, lengths = _measured(features, name)
    means = bool((lengths <= LONGEST_MEAN).all())
    return _scaled(matrix, lengths, lengths > (1 if means else 0))


def missing_length(rows: Tensor) -> Tensor | None:
    """What rows lack of the squared length 1, halved: h = (1 − ‖x‖²) / 2.

    With it Euclidean distances come from inner products: 1 − ‖x − y‖² / 2 = x·y + h(x) + h(y). A
    row of zeros has no direction and no distance; it counts as a unit row orthogonal to all.

    Args:
        rows: ``[N, D]`` float32, as :func:`bounded_rows` returns them.

    Returns:
        ``[N]`` float32, 0 for unit rows; None where all are.
    """
    squared = torch.linalg.vector_norm(rows, dim=1).square()
    unit = ((squared - 1).abs() <= UNIT_TOLERANCE) | (squared == 0)
    if unit.all():
        return None
    return torch.where(unit, torch.zeros_like(squared), (1 - squared) / 2)


def _measured(features: Tensor | ArrayLike, name: str) -> tuple[Tensor, Tensor]:
    """The checked matrix and the lengths of its rows, ``[N, 1]``, both finite."""
    matrix = as_matrix(features, name)
    if len(matrix) == 0:
        raise ValueError(
            f"{name}: expected at least one row, found none; a modality without any sample cannot "
            "be clustered"
        )
    lengths = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    if not torch.isfinite(lengths).all():  # squares overflowed: values beyond 1e19
        # What was large stays longer than any mean.
        matrix = matrix / (matrix.abs().amax(1, keepdim=True) / 2).clamp_min(1.0)
        lengths = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    return matrix, lengths


def _scaled(matrix: Tensor, lengths: Tensor, chosen: Tensor) -> Tensor:
    """Scales the chosen rows, unless they have length 1 already."""
    chosen = chosen & ((lengths.square() - 1).abs() > UNIT_TOLERANCE)
    if chosen.any():
        matrix = matrix / torch.where(chosen, lengths, torch.ones_like(lengths))
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
