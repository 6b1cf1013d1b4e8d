"""Shapes on a stack of frames, as the left and right end of every row.

Frames are painted at twice the final size; shrinking them later smooths the edges. All arithmetic
after the joints is +, -, *, / and square root, which every machine rounds alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

SUPERSAMPLING = 2
HEIGHT, WIDTH = 128 * SUPERSAMPLING, 64 * SUPERSAMPLING

ROWS = (np.arange(HEIGHT, dtype=np.float32) + np.float32(0.5))[None, :]  # middles of the rows
_FAR = np.float32(1e6)
_GRID = 64


def on_grid(pixels: ArrayLike) -> Array:
    """Round to 1/64 pixel, so that the last digit of a sine, which differs between machines,
    cannot matter afterwards.

    Args:
        pixels: any shape, float64.

    Returns:
        The same shape, float32.
    """
    return (np.round(np.asarray(pixels, np.float64) * _GRID) / _GRID).astype(np.float32)


@dataclass(slots=True)
class Spans:
    """A shape: for each frame and row the covered columns [left, right).

    Attributes:
        left: (T, rows) float32 pixels.
        right: (T, rows) float32 pixels; left > right where a row is not covered.
        top: first row.
    """

    left: Array
    right: Array
    top: int


def _row_range(low: Array, high: Array) -> tuple[int, int]:
    top = int(np.clip(np.floor(low.min()), 0, HEIGHT))
    bottom = int(np.clip(np.ceil(high.max()) + 1, top, HEIGHT))
    return top, bottom


def capsule(start: Array, end: Array, start_radius: float, end_radius: float) -> Spans:
    """Two discs and everything between them.

    Args:
        start: centre of the first disc, (T, 2) float32 pixels (x, y).
        end: centre of the second disc, (T, 2).
        start_radius: pixels.
        end_radius: pixels.

    Returns:
        The covered rows.
    """
    r0, r1 = np.float32(start_radius), np.float32(end_radius)
    top, bottom = _row_range(
        np.minimum(start[:, 1] - r0, end[:, 1] - r1), np.maximum(start[:, 1] + r0, end[:, 1] + r1)
    )
    rows = ROWS[:, top:bottom]
    left = np.full((len(start), bottom - top), _FAR, np.float32)
    right = np.full_like(left, -_FAR)
    for centre, radius in ((start, r0), (end, r1)):
        dy = rows - centre[:, 1:2]
        inside = radius * radius - dy * dy
        reach = np.sqrt(np.maximum(inside, np.float32(0)))
        hit = inside > 0
        np.minimum(left, centre[:, :1] - reach, out=left, where=hit)
        np.maximum(right, centre[:, :1] + reach, out=right, where=hit)
    axis = end - start
    length = np.sqrt(axis[:, 0] * axis[:, 0] + axis[:, 1] * axis[:, 1])
    long = np.maximum(length, np.float32(1e-3))[:, None]
    along = axis / long
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    tilt = np.clip((r0 - r1) / long, np.float32(-1), np.float32(1))
    straight = np.sqrt(np.maximum(np.float32(1) - tilt * tilt, np.float32(0)))
    for side in (np.float32(1), np.float32(-1)):
        normal = across * (side * straight) + along * tilt
        a, b = start + r0 * normal, end + r1 * normal
        _edge(left, right, rows, a, b)
    return Spans(left, right, top)


def _edge(left: Array, right: Array, rows: Array, a: Array, b: Array) -> None:
    """Widen the spans so that they contain the segment from a to b."""
    low, high = np.minimum(a[:, 1:2], b[:, 1:2]), np.maximum(a[:, 1:2], b[:, 1:2])
    rise = b[:, 1:2] - a[:, 1:2]
    rise = np.where(np.abs(rise) < np.float32(1e-3), np.float32(1e-3), rise)
    x = a[:, :1] + (rows - a[:, 1:2]) * ((b[:, :1] - a[:, :1]) / rise)
    hit = (rows >= low) & (rows <= high)
    np.minimum(left, x, out=left, where=hit)
    np.maximum(right, x, out=right, where=hit)


def ellipse(centre: Array, half_width: float, half_height: float) -> Spans:
    """An upright ellipse.

    Args:
        centre: (T, 2) float32 pixels.
        half_width: pixels.
        half_height: pixels.

    Returns:
        The covered rows.
    """
    tall, wide = np.float32(half_height), np.float32(half_width)
    top, bottom = _row_range(centre[:, 1] - tall, centre[:, 1] + tall)
    dy = (ROWS[:, top:bottom] - centre[:, 1:2]) / tall
    inside = np.float32(1) - dy * dy
    reach = np.sqrt(np.maximum(inside, np.float32(0))) * wide
    left = np.where(inside > 0, centre[:, :1] - reach, _FAR)
    right = np.where(inside > 0, centre[:, :1] + reach, -_FAR)
    return Spans(left, right, top)


def outline(heights: Array, left_ends: Array, right_ends: Array) -> Spans:
    """A shape given by its width at some heights, straight between them.

    Args:
        heights: (T, L) float32 pixels, growing along L.
        left_ends: (T, L).
        right_ends: (T, L).

    Returns:
        The covered rows.
    """
    top, bottom = _row_range(heights[:, 0], heights[:, -1])
    rows = ROWS[:, top:bottom]
    left = np.full((len(heights), bottom - top), _FAR, np.float32)
    right = np.full_like(left, -_FAR)
    for k in range(heights.shape[1] - 1):
        y0, y1 = heights[:, k : k + 1], heights[:, k + 1 : k + 2]
        share = (rows - y0) / np.maximum(y1 - y0, np.float32(1e-3))
        hit = (rows >= y0) & (rows < y1)
        for out, ends in ((left, left_ends), (right, right_ends)):
            a, b = ends[:, k : k + 1], ends[:, k + 1 : k + 2]
            np.copyto(out, a + share * (b - a), where=hit)
    return Spans(left, right, top)


def joined(upper: Spans, lower: Spans) -> Spans:
    """One shape from two that overlap in rows; each row takes what is covered, upper first."""
    top = min(upper.top, lower.top)
    bottom = max(upper.top + upper.left.shape[1], lower.top + lower.left.shape[1])
    left = np.full((len(upper.left), bottom - top), _FAR, np.float32)
    right = -left
    for part in (lower, upper):
        rows = slice(part.top - top, part.top - top + part.left.shape[1])
        covered = part.left < part.right
        np.copyto(left[:, rows], part.left, where=covered)
        np.copyto(right[:, rows], part.right, where=covered)
    return Spans(left, right, top)
