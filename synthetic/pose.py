"""A step of a walking person: gait to joints, joints to the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .person import Person
from .shapes import on_grid

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """How the camera sees the walker.

    Attributes:
        yaw: direction of walking in radians: 0 towards the camera, pi/2 to the right of the
            picture, pi away from it.
        pitch: angle by which the camera looks down, radians.
        scale: pixels for one body height, (T,).
        x: column of the pelvis, (T,) pixels.
        ground: row of the ground under the pelvis, (T,) pixels.
    """

    yaw: float
    pitch: float
    scale: NDArray[np.float64]
    x: NDArray[np.float64]
    ground: NDArray[np.float64]

    @property
    def right(self) -> tuple[float, float]:
        """Share of a body point's (left, forward) coordinates that runs right in the picture."""
        return _fix(np.cos(self.yaw)), _fix(np.sin(self.yaw))

    def project(self, points: NDArray[np.float64]) -> Array:
        """Body points to pixels.

        Args:
            points: (T, 3) body heights: to the person's left, up, forward.

        Returns:
            (T, 2) float32 pixels (x, y), on a grid of 1/64.
        """
        cos, sin = self.right
        near = points[:, 2] * cos - points[:, 0] * sin
        x = self.x + self.scale * (points[:, 0] * cos + points[:, 2] * sin)
        up = points[:, 1] * np.cos(self.pitch) - near * np.sin(self.pitch)
        y = self.ground - self.scale * up
        return on_grid(np.stack([x, y], axis=1))

    def near(self, left: float, forward: float) -> float:
        """How much nearer to the camera than the body's axis a body point is, body heights."""
        cos, sin = self.right
        return forward * cos - left * sin


def _fix(x: float) -> float:
    return float(np.round(x * 4096) / 4096)


@dataclass(slots=True)
class Pose:
    """Joints in body coordinates: (T, 3) each, unit body heights, (left, up, forward).

    Attributes:
        pelvis: middle of the hips.
        neck: upper end of the trunk.
        head: middle of the head.
        hips, knees, ankles, toes, heels: left then right.
        shoulders, elbows, hands: left then right.
    """

    pelvis: NDArray[np.float64]
    neck: NDArray[np.float64]
    head: NDArray[np.float64]
    hips: list[NDArray[np.float64]]
    knees: list[NDArray[np.float64]]
    ankles: list[NDArray[np.float64]]
    toes: list[NDArray[np.float64]]
    heels: list[NDArray[np.float64]]
    shoulders: list[NDArray[np.float64]]
    elbows: list[NDArray[np.float64]]
    hands: list[NDArray[np.float64]]

    def trunk(self, height: float, side: float = 0.0, forward: float = 0.0) -> NDArray[np.float64]:
        """A point on the trunk: 0 = pelvis, 1 = neck; offsets in body heights."""
        point = self.pelvis + (self.neck - self.pelvis) * height
        return point + np.array([side, 0.0, forward])


TRUNK = 0.325  # from hips to the lower end of the neck
UPPER_ARM, FOREARM = 0.165, 0.165
ANKLE = 0.035


def _swing(angle: NDArray[np.float64], length: float, out: float = 0.0) -> NDArray[np.float64]:
    """A bone that hangs down, turned forward by `angle`."""
    side = np.full_like(angle, out * length)
    return np.stack([side, -np.cos(angle) * length, np.sin(angle) * length], axis=1)


def walk(person: Person, phase: NDArray[np.float64]) -> Pose:
    """The pose at phases (T,) of the stride, in strides, with the lowest sole on the ground."""
    body, gait = person.body, person.gait
    turn = 2 * np.pi * phase
    thigh_length = (body.leg - ANKLE) * 0.52
    shank_length = (body.leg - ANKLE) * 0.48
    zero = np.zeros((len(phase), 3))
    hips, knees, ankles, toes, heels = [], [], [], [], []
    for side, shift in ((1, 0.0), (-1, np.pi)):
        hip = zero + np.array([side * body.hip * 0.52, 0.0, 0.0])
        swing = np.sin(turn + shift)
        thigh = gait.thigh * swing + 0.06
        lift = np.maximum(0.0, np.cos(turn + shift + 0.35))
        bend = 0.08 + gait.knee * lift * lift
        knee = hip + _swing(thigh, thigh_length)
        ankle = knee + _swing(thigh - bend, shank_length)
        # the foot is flat in front, and its heel rises behind
        tip = np.clip((thigh - bend) * 0.75, -0.95, 0.35)
        forward = np.stack([0 * tip + side * 0.12, np.sin(tip), np.cos(tip)], axis=1)
        down = np.array([0.0, -ANKLE * 0.45, 0.0])
        hips.append(hip)
        knees.append(knee)
        ankles.append(ankle)
        toes.append(ankle + down + forward * 0.088)
        heels.append(ankle + down - forward * 0.022)
    lowest = np.minimum.reduce([p[:, 1] for p in (*toes, *heels)]) - ANKLE * 0.55
    rise = np.stack([0 * lowest, -lowest, 0 * lowest], axis=1)
    sway = np.stack([gait.sway * np.cos(turn), 0 * turn, 0 * turn], axis=1)
    rise = rise + sway
    for joints in (hips, knees, ankles, toes, heels):
        for i in range(2):
            joints[i] = joints[i] + rise
    pelvis = zero + rise
    lean = gait.lean
    neck = pelvis + np.array([0.0, TRUNK * np.cos(lean), TRUNK * np.sin(lean)])
    head = neck + np.array([0.0, 0.095 * body.head, 0.016 + 0.3 * lean * 0.1])
    shoulders, elbows, hands = _arms(person, turn, neck)
    return Pose(pelvis, neck, head, hips, knees, ankles, toes, heels, shoulders, elbows, hands)


def _arms(
    person: Person, turn: NDArray[np.float64], neck: NDArray[np.float64]
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    gait = person.gait
    shoulders, elbows, hands = [], [], []
    for side, shift in ((1, np.pi), (-1, 0.0)):  # an arm swings with the other side's leg
        carries = person.bag in ("hand bag", "tote") and person.bag_side == side
        amplitude = gait.arm * (0.35 if carries else 1.0)
        elbow_rest = 0.08 if carries and person.bag == "hand bag" else gait.elbow
        swing = np.sin(turn + shift)
        shoulder = neck + np.array([side * (person.body.shoulder - 0.026), -0.028, 0.0])
        upper = amplitude * swing - 0.04
        bend = elbow_rest + 0.35 * amplitude * (swing + 1)
        elbow = shoulder + _swing(upper, UPPER_ARM, out=side * 0.16)
        hand = elbow + _swing(upper + bend, FOREARM, out=side * 0.02)
        shoulders.append(shoulder)
        elbows.append(elbow)
        hands.append(hand)
    return shoulders, elbows, hands
