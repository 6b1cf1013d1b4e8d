"""Patterns on cloth: which of two colours a point of a garment has.

A garment is a tube around the body. A point on it has an angle around the tube (turns, 0 = front
of the person, 0.25 = the person's left, 0.5 = back) and a height along it (unit: body heights, 0
at the top of the garment). The pattern lies on the tube, so it turns with the person and is the
same in both modalities; only the two colours or reflectances differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


_TRUNK = 0.6  # circumference of a trunk, body heights


class PatternKind(IntEnum):
    """What is woven into or printed on the cloth."""

    PLAIN = 0
    HORIZONTAL = 1
    VERTICAL = 2
    DIAGONAL = 3
    CHECKS = 4
    GRID = 5
    DOTS = 6
    BANDS = 7
    PRINT = 8
    TWO_TONE = 9
    HALVES = 10
    SIDES = 11
    ZIGZAG = 12


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern with its numbers.

    Attributes:
        kind: what it is.
        around: repeats around the tube (even, so that checks close).
        period: height of one repeat, in body heights.
        duty: share of a repeat that has the second colour, in (0, 1).
        phase: start of the repeats, in repeats.
        place: height of a single mark (print, band, colour change), in body heights.
        shape: form of a print: 0 disc, 1 square, 2 triangle, 3 cross.
    """

    kind: PatternKind
    around: int = 8
    period: float = 0.06
    duty: float = 0.5
    phase: float = 0.0
    place: float = 0.1
    shape: int = 0

    def for_limb(self, share: float) -> Pattern:
        """The same cloth on a thinner tube whose circumference is `share` of the torso's."""
        around = max(2, 2 * int(self.around * share / 2 + 0.5))
        return replace(self, around=around)

    def second(self, angle: Array, height: Array) -> NDArray[np.bool_]:
        """Where the second colour shows.

        Args:
            angle: turns around the tube, any real number; broadcasts against `height`.
            height: distance from the top of the garment, in body heights.

        Returns:
            True where a point has the second colour; shape of the broadcast arguments.
        """
        shape = np.broadcast_shapes(angle.shape, height.shape)
        return np.broadcast_to(_RULES[self.kind](self, angle, height), shape)


def _part(x: Array) -> Array:
    return x - np.floor(x)


def _plain(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    return np.zeros((), np.bool_)


def _horizontal(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    return _part(height * np.float32(1 / p.period) + np.float32(p.phase)) < p.duty


def _vertical(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    return _part(angle * np.float32(p.around) + np.float32(p.phase)) < p.duty


def _diagonal(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    slant = 1 if p.shape % 2 == 0 else -1
    turn = angle * np.float32(slant * max(p.around // 2, 2))
    return _part(turn + height * np.float32(1 / p.period)) < p.duty


def _checks(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    across = _part(angle * np.float32(p.around) + np.float32(p.phase)) < 0.5
    along = _part(height * np.float32(1 / p.period)) < 0.5
    return across ^ along


def _grid(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    thin = np.float32(0.22 + 0.2 * p.duty)
    across = _part(angle * np.float32(p.around) + np.float32(p.phase)) < thin
    along = _part(height * np.float32(1 / p.period)) < thin
    return across | along


def _dots(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    row = height * np.float32(1 / p.period)
    shift = np.float32(0.5) * (np.floor(row) - np.float32(2) * np.floor(row * np.float32(0.5)))
    across = _part(angle * np.float32(p.around) + np.float32(p.phase) + shift) - np.float32(0.5)
    along = _part(row) - np.float32(0.5)
    wide = np.float32(_TRUNK / (p.around * p.period))  # so that dots on a trunk are round
    across = across * max(wide, np.float32(0.75))
    return across * across + along * along < np.float32(0.05 + 0.12 * p.duty)


def _bands(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    offset = height - np.float32(p.place)
    hit = (offset >= 0) & (offset < np.float32(0.035 + 0.05 * p.duty))
    if p.shape >= 2:  # a second, thinner band below
        below = offset - np.float32(0.065 + 0.05 * p.duty)
        hit = hit | ((below >= 0) & (below < np.float32(0.025)))
    return hit


def _print(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    # the same print on front and back, so that it can be seen from either side
    turn = _part(angle * np.float32(2) + np.float32(0.5)) - np.float32(0.5)
    x = turn * np.float32(0.36)  # turns to body heights: half a chest circumference
    y = height - np.float32(p.place)
    size = np.float32(0.04 + 0.035 * p.duty)
    if p.shape == 0:
        return x * x + y * y < size * size
    if p.shape == 1:
        return (np.abs(x) < size) & (np.abs(y) < size * np.float32(0.85))
    if p.shape == 2:
        return (y > -size) & (y < size) & (np.abs(x) < (y + size) * np.float32(0.6))
    arm = size * np.float32(0.4)
    return ((np.abs(x) < arm) & (np.abs(y) < size)) | ((np.abs(y) < arm) & (np.abs(x) < size))


def _two_tone(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    return height > np.float32(p.place)


def _halves(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    return _part(angle) < 0.5


def _sides(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    wide = np.float32(0.09 + 0.1 * p.duty)
    return np.abs(_part(angle * np.float32(2)) - np.float32(0.5)) < wide


def _zigzag(p: Pattern, angle: Array, height: Array) -> NDArray[np.bool_]:
    wave = np.abs(_part(angle * np.float32(max(p.around // 2, 2))) - np.float32(0.5))
    return _part(height * np.float32(1 / p.period) + wave * np.float32(1.6)) < p.duty


_RULES = {
    PatternKind.PLAIN: _plain,
    PatternKind.HORIZONTAL: _horizontal,
    PatternKind.VERTICAL: _vertical,
    PatternKind.DIAGONAL: _diagonal,
    PatternKind.CHECKS: _checks,
    PatternKind.GRID: _grid,
    PatternKind.DOTS: _dots,
    PatternKind.BANDS: _bands,
    PatternKind.PRINT: _print,
    PatternKind.TWO_TONE: _two_tone,
    PatternKind.HALVES: _halves,
    PatternKind.SIDES: _sides,
    PatternKind.ZIGZAG: _zigzag,
}
