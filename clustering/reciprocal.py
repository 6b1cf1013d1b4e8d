"""Weights of the expanded k-reciprocal sets, sparse: what Jaccard distance and re-ranking share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .. import transfers
from . import kernels
from .feature_check import exact_matmul
from .threads import run_rows

BLOCK_VALUES = 1 << 24


def reciprocal_weights(
    rows: Tensor,
    products: Tensor,
    index: Tensor,
    k1: int,
    half: int,
    k2: int,
    *,
    group: NDArray[np.int32] | None = None,
    scale: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Weight rows of the expanded k-reciprocal sets, averaged over the first k2 neighbours.

    Args:
        rows: ``[N, D]`` float32.
        products: ``[N, L]``, each row's inner products with its neighbours.
        index: ``[N, L]`` neighbour lists, the row itself first.
        k1: length of the lists that make the sets, at most L.
        half: length of the lists that sets are expanded with.
        k2: lists whose weights are averaged, at most L; 1: none.
        group: ``[N]`` codes 0, 1, … that weigh the same in an average.
        scale: ``[N]`` divisor of each row's distances, 1 if None.

    Returns:
        CSR form: pointer ``[N + 1]``, columns (in no order), weights; rows sum to 1.
    """
    ranks = transfers.to_host(index.int())
    length = ranks.shape[1]
    k1, k2 = min(k1, length), min(k2, length)
    near, halves, averaged = (np.ascontiguousarray(ranks[:, :k]) for k in (k1, min(half, k1), k2))
    known = np.ascontiguousarray(transfers.to_host(products[:, :k1]))
    return weights_of_lists(rows, near, known, halves, averaged, group=group, scale=scale)


def weights_of_lists(
    rows: Tensor,
    near: NDArray[np.int32],
    products: NDArray[np.float32],
    halves: NDArray[np.int32],
    averaged: NDArray[np.int32],
    *,
    group: NDArray[np.int32] | None = None,
    scale: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """``reciprocal_weights`` from a neighbour list for each of its steps; −1 in one is no row.

    Args:
        rows: ``[N, D]`` float32.
        near: ``[N, K]`` lists that make the sets, in any order, contiguous.
        products: ``[N, K]``, each row's inner products with these.
        halves: ``[N, H]`` lists that sets are expanded with, contiguous; H = 0 expands none.
        averaged: ``[N, L]`` lists whose weights are averaged, contiguous; L = 1 averages none.
        group: ``[N]`` codes 0, 1, … that weigh the same in an average.
        scale: ``[N]`` divisor of each row's distances, 1 if None.

    Returns:
        As ``reciprocal_weights``.
    """
    count = len(near)
    pointer, column, value = _reciprocal_sets(near, products, halves)
    _fill_products(rows, pointer, column, value)
    if scale is not None:
        value -= 1
        value /= np.repeat(scale, np.diff(pointer))
        value += 1
    run_rows(kernels.weigh, count, pointer, value)
    if averaged.shape[1] == 1:
        return pointer, column, value
    if group is None:
        group = np.zeros(count, np.int32)
    return _expand_queries(averaged, group, int(group.max()) + 1, pointer, column, value)


def _reciprocal_sets(
    ranks: NDArray[np.int32], products: NDArray[np.float32], halves: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Expanded k-reciprocal sets in CSR form, with products where the lists hold them."""
    (count, length), half = ranks.shape, halves.shape[1]
    near, near_count = np.empty((count, length), np.int32), np.empty(count, np.int32)
    run_rows(kernels.reciprocal, count, ranks, length, near, near_count)
    half_near, half_count = np.empty((count, half), np.int32), np.empty(count, np.int32)
    run_rows(kernels.reciprocal, count, halves, half, half_near, half_count)
    sets = (ranks, products, near, near_count, half_near, half_count)
    pointer, column, value = np.zeros(count + 1, np.int64), *entries(0)
    run_rows(kernels.expand, count, *sets, pointer, column, value, False)
    np.cumsum(pointer, out=pointer)
    column, value = entries(pointer[-1])
    run_rows(kernels.expand, count, *sets, pointer, column, value, True)
    return pointer, column, value


def _fill_products(
    features: Tensor,
    pointer: NDArray[np.int64],
    column: NDArray[np.int32],
    value: NDArray[np.float32],
) -> None:
    """Computes the products that no neighbour list holds, on the device of the features."""
    missing = np.flatnonzero(np.isnan(value))
    left = (np.searchsorted(pointer, missing, side="right") - 1).astype(np.int32)
    right = column[missing]
    if transfers.is_host(features):
        found = np.empty(len(missing), np.float32)
        run_rows(kernels.pair_product, len(missing), features.numpy(), left, right, found)
        value[missing] = found
    else:
        value[missing] = transfers.to_host(pair_products(features, left, right))


def pair_products(features: Tensor, left: NDArray[np.int32], right: NDArray[np.int32]) -> Tensor:
    """Inner products of listed pairs of rows, block by block on the device of the features.

    Args:
        features: ``[N, D]`` float32.
        left: ``[P]`` rows.
        right: ``[P]`` rows.

    Returns:
        ``[P]`` float32.
    """
    rows, columns = (transfers.to_device(side, features.device) for side in (left, right))
    found = features.new_empty(len(left))
    step = max(1, BLOCK_VALUES // features.shape[1])
    with exact_matmul(features.device):
        for a in range(0, len(left), step):
            pairs = features[rows[a : a + step]] * features[columns[a : a + step]]
            found[a : a + step] = pairs.sum(1)
    return found


def _expand_queries(
    ranks: NDArray[np.int32],
    group: NDArray[np.int32],
    groups: int,
    *weights: NDArray[np.generic],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """Mean weight rows of the listed neighbours, in CSR form."""
    count, k2 = ranks.shape
    pointer, column, value = np.zeros(count + 1, np.int64), *entries(0)
    given = (ranks, k2, group, groups, *weights)
    run_rows(kernels.average, count, *given, pointer, column, value, False)
    np.cumsum(pointer, out=pointer)
    column, value = entries(pointer[-1])
    run_rows(kernels.average, count, *given, pointer, column, value, True)
    return pointer, column, value


def entries(size: int | np.int64) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Room for the columns and the values of so many entries."""
    return np.empty(int(size), np.int32), np.empty(int(size), np.float32)
