"""Similarities of queries and gallery items, whole or multiplied block by block."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from .. import transfers


class Similarity(ABC):
    """A matrix [Q, G] that is asked for some rows at a time; larger is more similar.

    Attributes:
        shape: (Q, G).
        device: where its rows lie.
    """

    shape: tuple[int, int]
    device: torch.device

    @abstractmethod
    def rows(self, chosen: Tensor | slice) -> Tensor:
        """Similarities [B, G], float32 or float64, of queries by numbers [B] or a slice."""


class WholeSimilarity(Similarity):
    """A similarity that is a matrix already.

    Args:
        matrix: [Q, G] floating; half precision is compared in float32.

    Raises:
        ValueError: not a floating matrix.
    """

    def __init__(self, matrix: Tensor) -> None:
        self._matrix = _floating(matrix, "similarity")
        self.shape = (self._matrix.shape[0], self._matrix.shape[1])
        self.device = self._matrix.device

    def rows(self, chosen: Tensor | slice) -> Tensor:
        """Rows of the matrix."""
        rows = self._matrix[chosen]
        return rows if rows.dtype == torch.float64 else rows.float()


class InnerProducts(Similarity):
    """Inner products of features; the full matrix never exists.

    Args:
        query: [Q, D] floating; unit rows make the inner product the cosine.
        gallery: [G, D] floating.

    Raises:
        ValueError: shapes that do not fit, or NaN.
    """

    def __init__(self, query: Tensor, gallery: Tensor) -> None:
        query, gallery = _floating(query, "query"), _floating(gallery, "gallery")
        if query.shape[1] != gallery.shape[1]:
            raise ValueError(
                "`query` and `gallery` must have the same feature length; "
                f"got {tuple(query.shape)} and {tuple(gallery.shape)}"
            )
        sides = (("query", query), ("gallery", gallery))
        broken = torch.cat([features.isnan().any(1) for _, features in sides])
        starts = np.split(transfers.to_host(broken), [len(query)])
        for (name, features), rows in zip(sides, starts):
            if count := int(rows.sum()):
                raise ValueError(f"`{name}` holds NaN in {count} of {len(features)} rows")
        dtype = torch.float64 if torch.float64 in (query.dtype, gallery.dtype) else torch.float32
        self._query, self._gallery = query.to(dtype), gallery.to(dtype)
        self.shape = (len(query), len(gallery))
        self.device = query.device

    def rows(self, chosen: Tensor | slice) -> Tensor:
        """Products of some queries with the whole gallery."""
        return self._query[chosen] @ self._gallery.T


def _floating(value: Tensor, name: str) -> Tensor:
    matrix = torch.as_tensor(value)
    if matrix.ndim != 2 or not matrix.is_floating_point():
        raise ValueError(
            f"`{name}` must be a floating matrix; got shape {tuple(matrix.shape)}, {matrix.dtype}"
        )
    return matrix.detach()
