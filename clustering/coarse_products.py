"""Similarities within a known bound, several times as fast as products in float32."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from .candidates import ROUNDING, decision_error
from .threads import run_rows

DIGITS = (127, 63)  # what eight bits hold, and what processors without VNNI add exactly
WIDEST = 1 << 16  # of these columns, sums of products of two digits stay within 32 bits
TRIAL = 256
FASTER = 1.5
TINY = 1e-30  # a row shorter than this has no digits
UNDERFLOW = 1e-35  # added to a bound: products of tiny numbers vanish
MAGIC = np.float32(3 << 22)  # added and taken away again, it rounds to the nearest integer


class CoarseProducts:
    """Nearness −‖x − y‖²/2 of rows, each wrong by no more than the sum of its two rows' bounds.

    Rows are taken relative to their mean, which leaves distances as they are and makes products
    small: −‖x − y‖²/2 = x·y − ‖x‖²/2 − ‖y‖²/2. A row is then s·(q + r/2Q) with digits q and r
    from −Q to Q. Products of digits are exact integers, on every processor; so the error of a
    product is what the digits leave of its rows, and the length of that is measured:
    |x·y − x̂·ŷ| ≤ ‖x − x̂‖·‖ŷ‖ + ‖x‖·‖y − ŷ‖ (Cauchy and Schwarz).

    Args:
        features: ``[N, D]`` no longer than 1, float32, contiguous, on the CPU.
        apart: ``[N]`` float32, taken from the nearness of each row to all others.
        digits: 2: q and r; 1: q alone, a third of the work and a bound some hundred times as
            wide; 0: float32 products.
        largest: Q, see ``largest_digit``.

    Attributes:
        scale: ``[N]`` float32, s; ones for float32 products.
        offset: ``[N]`` float32, what each row adds to scale·scale·product.
        bound: ``[N]`` float32, each row's half of the largest error.
    """

    def __init__(
        self, features: Tensor, apart: NDArray[np.float32], digits: int, largest: int
    ) -> None:
        count, width = features.shape
        self.digits, self.largest = digits, largest
        self._rows = features.numpy()
        self._mean = features.mean(0).numpy()
        self.scale = np.ones(count, np.float32)
        square, rest, second = (np.zeros(count) for _ in range(3))
        made = (self._rows, self._mean, digits, largest)
        run_rows(_measure, count, *made, self.scale, square, rest, second)
        self.offset = (-square / 2 - apart).astype(np.float32)
        rest, second = (a * (1 + width * 2 * ROUNDING) for a in (rest, second))  # float32 sums
        length = np.sqrt(square) * (1 + 4 * ROUNDING)
        longest = length.max() + rest.max()
        if digits == 0:
            bound = (width + 2) * ROUNDING * longest * length / 2
        else:
            bound = (rest + 2 * ROUNDING * length) * longest + second * second.max() / 2
        # A distance is at most twice the longest row; 16: the few operations after a product.
        bound += (decision_error(width) + 16 * ROUNDING) * longest**2
        bound += 4 * ROUNDING * apart.max() + UNDERFLOW
        self.bound = (bound * (1 + 8 * ROUNDING)).astype(np.float32)

    def operand(self, start: int, stop: int) -> list[Tensor]:
        """Rows as the product takes them."""
        rows = self._rows[start:stop]
        if self.digits == 0:
            return [torch.from_numpy(rows - self._mean)]
        codes = np.empty((self.digits, *rows.shape), np.int8)
        place = (rows, self._mean, self.scale[start:stop], self.largest, codes)
        run_rows(_write, len(rows), *place)
        return [torch.from_numpy(part) for part in codes]

    def multiply(self, left: list[Tensor], right: list[Tensor], out: Tensor) -> Tensor:
        """Products of all rows of two operands, before scale and offset.

        Args:
            left: R rows.
            right: C rows.
            out: int32 with room for R·C products, for each digit once.

        Returns:
            ``[R, C]`` int32 (one digit) or float32, in the memory of ``out``.
        """
        shape = (len(left[0]), len(right[0]))
        size = shape[0] * shape[1]
        tile = out[:size].view(shape)
        if self.digits == 0:
            return torch.mm(left[0], right[0].T, out=tile.view(torch.float32))
        torch._int_mm(left[0], right[0].T, out=tile)
        if self.digits == 1:
            return tile
        cross = out[size : 2 * size].view(shape)
        torch._int_mm(torch.cat(left, 1), torch.cat(right[::-1], 1).T, out=cross)
        whole = tile.view(torch.float32)
        factor = np.float32(1 / (2 * self.largest))
        run_rows(_join, shape[0], tile.numpy(), cross.numpy(), factor, whole.numpy())
        return whole


@lru_cache(maxsize=1)
def largest_digit() -> int:
    """The largest digit that this processor multiplies exactly, and faster than float32.

    Processors with VNNI (or AMX) take all eight bits. Others add pairs of products in 16 bits and
    saturate; a smaller digit avoids that. Tried rather than looked up: torch may be told to leave
    instructions alone that the processor has.

    Returns:
        One of ``DIGITS``, or 0 where float32 products are the better choice.
    """
    plain = torch.ones(TRIAL, TRIAL)
    needed = _seconds(lambda: torch.mm(plain, plain.T)) / FASTER
    for digit in DIGITS:
        left = torch.randint(-digit, digit + 1, (TRIAL, TRIAL), dtype=torch.int8, generator=_seed())
        left[: TRIAL // 4], left[TRIAL // 4 : TRIAL // 2] = digit, -digit
        right = left.flip(0).contiguous()
        try:
            exact = torch.equal(
                torch._int_mm(left, right.T).double(), left.double() @ right.T.double()
            )
            if exact and _seconds(partial(torch._int_mm, left, right.T)) < needed:
                return digit
        except (AttributeError, RuntimeError):  # a torch without this product
            return 0
    return 0


def _seed() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _seconds(call: Callable[[], object]) -> float:
    """The shortest of a few calls."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _length(row: NDArray[np.float32]) -> np.float32:
    total = np.float32(0.0)
    for d in range(len(row)):
        total += row[d] * row[d]
    return np.sqrt(total)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _square(row: NDArray[np.float32]) -> float:
    total = 0.0
    for d in range(len(row)):
        total += np.float64(row[d]) * np.float64(row[d])
    return total


@njit(cache=True, nogil=True)
def _nearest(value: np.float32) -> np.float32:
    """The nearest integer of a number within ± 2²²; without a call, so that loops are vectors."""
    return (value + MAGIC) - MAGIC


@njit(cache=True, nogil=True)
def _measure(
    start: int,
    stop: int,
    rows: NDArray[np.float32],
    mean: NDArray[np.float32],
    digits: int,
    largest: int,
    scale: NDArray[np.float32],
    square: NDArray[np.float64],
    rest: NDArray[np.float64],
    second: NDArray[np.float64],
) -> None:
    """Finds each row's squared length, its scale, and what one digit and all digits leave."""
    width = rows.shape[1]
    part = np.empty(width, np.float32)
    for i in range(start, stop):
        row = rows[i]
        top = np.float32(0.0)
        for d in range(width):
            part[d] = row[d] - mean[d]
            top = max(top, abs(part[d]))
        square[i] = _square(part)
        if digits == 0:
            continue
        scale[i] = 0.0
        if top < TINY:
            rest[i] = np.sqrt(square[i])
            continue
        unit = top / np.float32(largest)
        scale[i] = unit
        inverse = np.float32(1.0) / unit
        for d in range(width):
            part[d] -= unit * _nearest(part[d] * inverse)
        rest[i] = _length(part)
        if digits == 2:
            step = unit / np.float32(2 * largest)
            finer = np.float32(2 * largest) * inverse
            for d in range(width):
                part[d] -= step * _nearest(part[d] * finer)
            one = rest[i]
            rest[i] = _length(part)
            second[i] = one + rest[i]


@njit(cache=True, nogil=True)
def _write(
    start: int,
    stop: int,
    rows: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
    largest: int,
    codes: NDArray[np.int8],
) -> None:
    """Writes the digits whose rest ``_measure`` has measured."""
    width = rows.shape[1]
    for i in range(start, stop):
        if scale[i] == 0.0:
            codes[:, i] = 0
            continue
        row = rows[i]
        unit = scale[i]
        inverse = np.float32(1.0) / unit
        first = codes[0, i]
        for d in range(width):
            first[d] = np.int8(_nearest((row[d] - mean[d]) * inverse))
        if len(codes) == 2:
            finer = np.float32(2 * largest) * inverse
            fine = codes[1, i]
            for d in range(width):
                left = (row[d] - mean[d]) - unit * np.float32(first[d])
                fine[d] = np.int8(_nearest(left * finer))


@njit(cache=True, nogil=True)
def _join(
    start: int,
    stop: int,
    first: NDArray[np.int32],
    cross: NDArray[np.int32],
    factor: np.float32,
    whole: NDArray[np.float32],
) -> None:
    for r in range(start, stop):
        for c in range(first.shape[1]):
            whole[r, c] = np.float32(first[r, c]) + factor * np.float32(cross[r, c])
