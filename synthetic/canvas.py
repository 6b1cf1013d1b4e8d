"""A stack of frames on which body parts are painted as labels with light and shade."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .patterns import Pattern
from .shapes import HEIGHT, ROWS, WIDTH, Array, Spans

NEUTRAL_SHADE = 128  # shade value that leaves a colour as it is

_COLUMNS = (np.arange(WIDTH, dtype=np.float32) + np.float32(0.5))[None, None, :]
# arcsin in turns for -1..1 in 512 steps; rounded, since math libraries differ in the last digit
_STEPS = 256
_ARCSIN = (
    np.round(np.arcsin(np.arange(-_STEPS, _STEPS + 1) / _STEPS) / (2 * np.pi) * 65536) / 65536
).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Cloth:
    """How a part is coloured.

    Attributes:
        material: label of the first colour.
        second: label of the second colour.
        pattern: where the second colour shows, or None.
        yaw: turns from the front of the person to the camera, for the pattern.
        scale: pixels for one body height, for the pattern.
        start: height on the garment at the top of the part, in body heights.
        split: half width in turns of a gap at the front that shows `inner`; 0 for none.
        inner: label behind the gap.
        others: what the other sides than the front show, first the person's left: labels of both
            colours, and the pattern or None.
    """

    material: int
    second: int = 0
    pattern: Pattern | None = None
    yaw: float = 0.0
    scale: float = 1.0
    start: float = 0.0
    split: float = 0.0
    inner: int = 0
    others: tuple[tuple[int, int, Pattern | None], ...] = ()


class Canvas:
    """Labels and shades of a stack of frames.

    Attributes:
        label: (T, 256, 128) uint8, 0 = nothing painted.
        shade: (T, 256, 128) uint8, 128 = neutral.
    """

    def __init__(self, frames: int, light: float = 0.0) -> None:
        """Start with nothing painted.

        Args:
            frames: number of frames T.
            light: where the light comes from, -1 left to 1 right.
        """
        self.label = np.zeros((frames, HEIGHT, WIDTH), np.uint8)
        self.shade = np.full((frames, HEIGHT, WIDTH), NEUTRAL_SHADE, np.uint8)
        self.light = light

    def paint(
        self, shape: Spans, cloth: Cloth, axis: tuple[Array, Array] | None = None, dark: float = 1.0
    ) -> None:
        """Paint a part over what is there.

        Args:
            shape: which pixels.
            cloth: which labels.
            axis: start and direction (unit length) of the part, each (T, 2), along which the
                height of the pattern runs; without it, straight down from the shape's top row.
            dark: factor on the light.
        """
        box = _columns(shape)
        if box is None:
            return
        first, last = box
        rows = slice(shape.top, shape.top + shape.left.shape[1])
        columns = slice(first, last)
        x = _COLUMNS[:, :, columns]
        step = _steps_across(shape, x)
        mask = step.view(np.uint32) < 2 * _STEPS
        shade = np.take(_shades(self.light, dark), step, mode="clip")
        np.copyto(self.shade[:, rows, columns], shade, where=mask)
        target = self.label[:, rows, columns]
        if cloth.pattern is None and not cloth.split and not cloth.others:
            np.copyto(target, np.uint8(cloth.material), where=mask)
            return
        angle = np.take(_ARCSIN, step, mode="clip") - np.float32(cloth.yaw)
        material = np.full(mask.shape, cloth.material, np.uint8)
        height = None if cloth.pattern is None else self._height(shape, x, axis, cloth)
        if cloth.pattern is not None and height is not None:
            second = cloth.pattern.second(angle, height)
            np.copyto(material, np.uint8(cloth.second), where=second)
        if cloth.others:
            _paint_sides(material, cloth.others, angle, height)
        if cloth.split:
            turn = angle - np.floor(angle + np.float32(0.5))
            np.copyto(material, np.uint8(cloth.inner), where=np.abs(turn) < np.float32(cloth.split))
        np.copyto(target, material, where=mask)

    def _height(
        self, shape: Spans, x: Array, axis: tuple[Array, Array] | None, cloth: Cloth
    ) -> Array:
        y = ROWS[:, shape.top : shape.top + shape.left.shape[1]]
        unit = np.float32(1 / cloth.scale)
        if axis is None:
            covered = shape.left < shape.right
            first = np.argmax(covered, axis=1).astype(np.float32) + np.float32(shape.top)
            return ((y - first[:, None]) * unit + np.float32(cloth.start))[:, :, None]
        origin, along = axis
        down = (y - origin[:, 1:2]) * along[:, 1:2]
        right = (x[0] - origin[:, :1]) * along[:, :1]
        return (down[:, :, None] + right[:, None, :]) * unit + np.float32(cloth.start)

    def darken_ground(self, shape: Spans, share: int) -> None:
        """Let a shadow fall on what lies behind; `share` is the shade value, 128 = none."""
        box = _columns(shape)
        if box is None:
            return
        rows = slice(shape.top, shape.top + shape.left.shape[1])
        columns = slice(*box)
        mask = _steps_across(shape, _COLUMNS[:, :, columns]).view(np.uint32) < 2 * _STEPS
        np.copyto(self.shade[:, rows, columns], np.uint8(share), where=mask)


def _paint_sides(
    material: NDArray[np.uint8],
    others: tuple[tuple[int, int, Pattern | None], ...],
    angle: Array,
    height: Array | None,
) -> None:
    """Give the points of a garment that lie on another side than the front that side's colours."""
    sides = len(others) + 1
    sector = np.floor(angle * np.float32(sides) + np.float32(0.5)).astype(np.int32) % sides
    for side, (first, second, pattern) in enumerate(others, start=1):
        here = sector == side
        if not here.any():
            continue
        np.copyto(material, np.uint8(first), where=here)
        if pattern is not None and height is not None:
            np.copyto(material, np.uint8(second), where=here & pattern.second(angle, height))


def _steps_across(shape: Spans, x: Array) -> NDArray[np.int32]:
    """Place of each pixel across its row's span: 0 = left end, 512 = right end; (T, rows, w)."""
    half = np.float32(0.5) * (shape.right - shape.left)
    slope = np.float32(_STEPS) / np.maximum(half, np.float32(0.5))
    start = np.float32(_STEPS) - np.float32(0.5) * (shape.left + shape.right) * slope
    covered = half > 0
    slope = np.where(covered, slope, np.float32(0))
    start = np.where(covered, start, np.float32(-9))
    place = x * slope[:, :, None]
    place += start[:, :, None]
    return place.astype(np.int32)


@lru_cache(maxsize=64)
def _shades(light: float, dark: float) -> NDArray[np.uint8]:
    """Shade across a round part: brightest where its surface faces the camera and the light."""
    u = np.arange(-_STEPS, _STEPS + 1) / _STEPS
    return ((np.sqrt(1 - u * u) * 56 + 76 + u * 16 * light) * dark).astype(np.uint8)


def _columns(shape: Spans) -> tuple[int, int] | None:
    covered = shape.left < shape.right
    if not covered.any():
        return None
    first = int(np.clip(np.floor(shape.left.min()), 0, WIDTH))
    last = int(np.clip(np.ceil(shape.right.max()), 0, WIDTH))
    return (first, last) if first < last else None
