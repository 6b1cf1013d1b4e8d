"""Fewer numbers a vector: the directions in which the features of training differ most.

The projection keeps inner products as well as so few numbers can (Eckart and Young, 1936): its
directions are the leading eigenvectors of the features' second moments, without a mean taken off,
because the score of a search is an inner product and not a distance from a mean.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from ..errors import UserError
from ..files import write_whole
from ..models.state_files import check_finite, read_tensors

FILE = "projection.safetensors"
MOST_ROWS = 4096  # that it is fitted on; the eigenvectors of a larger matrix take minutes


@dataclass(frozen=True)
class Projection:
    """From features to vectors of an index.

    Attributes:
        directions: [W, D] float32 with orthonormal columns, from W numbers to D; None keeps all.
        kept: share of the squared length of the training features that lies in the directions.
    """

    directions: Tensor | None
    kept: float = 1.0

    def apply(self, features: Tensor) -> NDArray[np.float16]:
        """Vectors of features: projected, of length 1, half precision.

        Args:
            features: [N, W] float.

        Returns:
            [N, D] float16.
        """
        rows = features.float().cpu()
        if self.directions is not None:
            rows = rows @ self.directions
        unit: NDArray[np.float16] = torch.nn.functional.normalize(rows, dim=1).half().numpy()
        return unit

    def compared(self, features: Tensor) -> Tensor:
        """Vectors of features with the precision in which a search compares them.

        Args:
            features: [N, W] float.

        Returns:
            [N, D] float32, rounded to half precision.
        """
        return torch.from_numpy(self.apply(features)).float()

    def fingerprint(self) -> str:
        """Names the projection: vectors of two indexes compare only if it is the same."""
        if self.directions is None:
            return "none"
        data = self.directions.contiguous().numpy().tobytes()
        return hashlib.blake2b(data, digest_size=16).hexdigest()

    def write(self, folder: Path) -> None:
        """Writes the file into the folder of an index, unless all numbers are kept.

        Args:
            folder: it exists.
        """
        if self.directions is not None:
            content = save({"directions": self.directions.contiguous()})
            write_whole(folder / FILE, content)


def fit_projection(features: Tensor, dim: int) -> Projection:
    """The projection that keeps inner products of features best.

    Args:
        features: [N, W] float, those of training; of more than ``MOST_ROWS`` an even choice counts.
        dim: numbers D of a vector; 0, or W and more, keeps all. At most N come out.

    Raises:
        ValueError: there are no features.
    """
    if not len(features):
        raise ValueError("a projection needs features to be fitted on; there are none")
    count, width = features.shape
    if dim == 0 or dim >= width:
        return Projection(None)
    chosen = np.linspace(0, count - 1, min(count, MOST_ROWS)).round().astype(int)
    rows = features[torch.from_numpy(chosen)].double().cpu()
    small = len(rows) < width
    # The smaller of the two matrices has the same eigenvalues other than 0.
    values, vectors = torch.linalg.eigh(rows @ rows.T if small else rows.T @ rows)
    order = torch.argsort(values, descending=True)[:dim]
    order = order[values[order] > values.max() * 1e-10]
    leading = vectors[:, order]
    if small:
        leading = rows.T @ leading / values[order].sqrt()
    kept = float(values[order].sum() / values.clamp(min=0).sum())
    return Projection(leading.float().contiguous(), kept)


def read_projection(folder: Path, width: int, dim: int, fingerprint: str) -> Projection:
    """The projection of an index.

    Args:
        folder: of the index.
        width: numbers W of a feature.
        dim: numbers D of a vector.
        fingerprint: that the index names.

    Raises:
        UserError: the file is missing or damaged, or is not the one that the index was made with.
    """
    if fingerprint == "none":
        return Projection(None)
    file = folder / FILE
    try:
        tensors = read_tensors(file)[0]
        check_finite(tensors, str(file))
        directions = tensors["directions"]
        projection = Projection(directions)
        if directions.shape != (width, dim) or projection.fingerprint() != fingerprint:
            raise ValueError("it is not the one that the index was made with")
    except FileNotFoundError:
        raise UserError(
            f"{file} is missing: the index is damaged. Restore it from a copy."
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{file} cannot be used ({error}). Restore it from a copy.") from error
    return projection
