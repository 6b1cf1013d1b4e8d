"""What painting a person's parts has in common: projecting, tubes along bones, hanging cloth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Cloth
from .patterns import Pattern
from .person import Material, Person, side_label
from .pose import Pose, View
from .shapes import Spans, capsule, on_grid, outline

Array = NDArray[np.float32]

# thickness of bare legs, body heights: half of it at hip, knee and ankle
THIGH, KNEE, ANKLE = 0.050, 0.036, 0.023


class Painter:
    """A person in a pose on a canvas.

    Attributes:
        canvas, person, view, pose: what is painted, and onto what.
        unit: pixels for one body height, mean over the frames.
        yaw_turns: direction of walking, turns.
        facing: 1 where the person walks towards the camera, -1 away from it.
        far, near: which side of the pose (0 left, 1 right) is further from the camera, nearer.
    """

    def __init__(self, canvas: Canvas, person: Person, view: View, pose: Pose, offset: int) -> None:
        """Set out to paint T frames; `offset` is added to every label."""
        self.canvas, self.person, self.view, self.pose = canvas, person, view, pose
        self.offset = offset
        self.unit = float(np.round(np.mean(view.scale) * 16) / 16)
        self.yaw_turns = float(np.round(view.yaw / (2 * np.pi) * 4096) / 4096)
        cos, sin = view.right
        self.facing = cos
        self.far, self.near = (0, 1) if sin > 0 else (1, 0)

    def at(self, point: NDArray[np.float64]) -> Array:
        """Body point (T, 3) to pixels (T, 2)."""
        return self.view.project(point)

    def put(
        self,
        shape: Spans,
        material: Material,
        cloth: Cloth | None = None,
        axis: tuple[Array, Array] | None = None,
        dark: float = 1.0,
    ) -> None:
        """Paint a shape in a plain material, or in `cloth` where given; see `Canvas.paint`."""
        cloth = cloth if cloth is not None else Cloth(int(material))
        shifted = replace(
            cloth,
            material=cloth.material + self.offset,
            second=cloth.second + self.offset,
            inner=cloth.inner + self.offset,
            others=tuple((a + self.offset, b + self.offset, p) for a, b, p in cloth.others),
        )
        self.canvas.paint(shape, shifted, axis, dark)

    def tube(
        self,
        start: Array,
        end: Array,
        start_radius: float,
        end_radius: float,
        material: Material,
        cloth: Cloth | None = None,
        dark: float = 1.0,
    ) -> None:
        """Paint a round tube between two points (T, 2) in pixels; radii in body heights."""
        axis = end - start
        length = np.sqrt(axis[:, 0] * axis[:, 0] + axis[:, 1] * axis[:, 1])
        along = axis / np.maximum(length, np.float32(1))[:, None]
        shape = capsule(start, end, start_radius * self.unit, end_radius * self.unit)
        self.put(shape, material, cloth, (start, along), dark)

    def cloth(self, first: Material, second: Material, patterns: Sequence[Pattern | None]) -> Cloth:
        """A garment's cloth as this camera sees it.

        Args:
            first: its colour, of the upper or of the lower garment.
            second: that of the pattern.
            patterns: what each side shows, the front first.
        """
        others = tuple(
            (side_label(first, side), side_label(second, side), pattern)
            for side, pattern in enumerate(patterns[1:], start=1)
        )
        front = patterns[0]
        return Cloth(int(first), int(second), front, self.yaw_turns, self.unit, others=others)

    def half_width(self, side: float, depth: float) -> float:
        """Half width in the picture of an upright tube with an elliptic section."""
        cos, sin = self.view.right
        return float(np.sqrt((side * cos) ** 2 + (depth * sin) ** 2))

    def rings(self, points: list[NDArray[np.float64]], halves: list[float]) -> Spans:
        """Shape through body points (T, 3), from top to bottom, with half widths there."""
        middles = [self.at(point) for point in points]
        heights = np.stack([m[:, 1] for m in middles], axis=1)
        heights = np.maximum.accumulate(heights, axis=1)
        widths = on_grid([half * self.unit for half in halves])[None, :]
        xs = np.stack([m[:, 0] for m in middles], axis=1)
        return outline(heights, xs - widths, xs + widths)

    def leg_spread(self, share: float) -> tuple[Array, Array, Array]:
        """Left and right end of both legs, and the row, at a share of the leg's length."""
        pose = self.pose
        rows, lefts, rights = [], [], []
        radius = np.float32((THIGH + (ANKLE - THIGH) * share) * 1.15 * self.unit)
        for side in (0, 1):
            hip, knee, ankle = (self.at(j[side]) for j in (pose.hips, pose.knees, pose.ankles))
            if share < 0.5:
                point = hip + (knee - hip) * np.float32(share / 0.5)
            else:
                point = knee + (ankle - knee) * np.float32((share - 0.5) / 0.5)
            rows.append(point[:, 1])
            lefts.append(point[:, 0] - radius)
            rights.append(point[:, 0] + radius)
        row = np.float32(0.5) * (rows[0] + rows[1])
        return row, np.minimum(lefts[0], lefts[1]), np.maximum(rights[0], rights[1])

    def hanging(
        self, top: float, half: float, share: float, flare: float
    ) -> tuple[Array, Array, Array]:
        """Outline of cloth that hangs from the trunk over both legs.

        Args:
            top: height on the trunk where it begins.
            half: half width there, body heights.
            share: share of the leg that it covers.
            flare: additional half width at the hem.

        Returns:
            Rows, left ends, right ends, each (T, 4).
        """
        start, hips = self.at(self.pose.trunk(top)), self.at(self.pose.trunk(-0.05))
        rows, lefts, rights = [start[:, 1]], [], []
        width = np.float32(half * self.unit)
        lefts.append(start[:, 0] - width)
        rights.append(start[:, 0] + width)
        rows.append(hips[:, 1])
        wider = width * np.float32(1.06)
        lefts.append(hips[:, 0] - wider)
        rights.append(hips[:, 0] + wider)
        for part in (share * 0.55, share):
            row, left, right = self.leg_spread(part)
            extra = np.float32(flare * self.unit * part / share)
            middle = hips[:, 0]
            lefts.append(np.minimum(left, middle - width) - extra)
            rights.append(np.maximum(right, middle + width) + extra)
            rows.append(np.maximum(row, rows[-1] + np.float32(1)))
        return np.stack(rows, axis=1), np.stack(lefts, axis=1), np.stack(rights, axis=1)
