"""Checks features at the door and brings them to the form that clustering works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from .. import transfers

# Rows of this squared length (within the tolerance) are used as they lie, without a copy.
UNIT_TOLERANCE = 2e-6
# A mean of unit rows is no longer than 1; half precision (bfloat16) rounds it up by as much.
LONGEST_MEAN = 1 + 2**-8


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
    matrix = _matrix(features, name)
    # A NaN or an infinity survives a sum, so the costly look happens only where one may be.
    doubtful = ~torch.isfinite(matrix.sum(1))
    if transfers.told(doubtful.any())[0]:
        _refuse_broken(matrix, doubtful, name)
    return matrix


def _matrix(features: Tensor | ArrayLike, name: str) -> Tensor:
    """:func:`as_matrix` without a look at the values."""
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
    return features.contiguous()


def _refuse_broken(matrix: Tensor, doubtful: Tensor, name: str) -> None:
    """Names the first row with a NaN or an infinite value among the doubtful ones, [N] bool."""
    places = np.flatnonzero(transfers.to_host(doubtful))
    broken = ~torch.isfinite(transfers.rows_at(matrix, places)).all(1)
    found = places[transfers.to_host(broken).astype(bool)]
    if len(found):
        raise ValueError(
            f"{name}: row {found[0]} of {len(matrix)} holds a NaN or an infinite value; "
            "look at the loss of the last epoch and at the sample behind this row"
        )


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
    chosen = (lengths > 0) & _off_unit(lengths)
    return _scaled(matrix, lengths, chosen, transfers.told(chosen.any())[0])


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
    off = _off_unit(lengths)
    long, other = off & (lengths > 1), off & (lengths > 0)
    no_means, any_long, any_other = transfers.told(
        (lengths > LONGEST_MEAN).any(), long.any(), other.any()
    )
    if no_means:
        return _scaled(matrix, lengths, other, any_other)
    return _scaled(matrix, lengths, long, any_long)


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
    if not transfers.told((~unit).any())[0]:
        return None
    return torch.where(unit, torch.zeros_like(squared), (1 - squared) / 2)


def _measured(features: Tensor | ArrayLike, name: str) -> tuple[Tensor, Tensor]:
    """The checked matrix and the lengths of its rows, ``[N, 1]``, both finite."""
    matrix = _matrix(features, name)
    if len(matrix) == 0:
        raise ValueError(
            f"{name}: expected at least one row, found none; a modality without any sample cannot "
            "be clustered"
        )
    lengths = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    doubtful = ~torch.isfinite(lengths)
    if transfers.told(doubtful.any())[0]:
        _refuse_broken(matrix, doubtful[:, 0], name)
        # Squares overflowed: values beyond 1e19. What was large stays longer than any mean.
        matrix = matrix / (matrix.abs().amax(1, keepdim=True) / 2).clamp_min(1.0)
        lengths = torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    return matrix, lengths


def _off_unit(lengths: Tensor) -> Tensor:
    """Which rows have another length than 1."""
    return (lengths.square() - 1).abs() > UNIT_TOLERANCE


def _scaled(matrix: Tensor, lengths: Tensor, chosen: Tensor, some: bool) -> Tensor:
    """Scales the chosen rows, where there are some."""
    if some:
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
