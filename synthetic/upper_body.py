"""Trunk, neck and arms, with the upper garment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import luggage
from .painter import Array, Painter
from .person import Material
from .pose import TRUNK
from .shapes import ellipse, joined, outline

_SHOULDER, _ELBOW, _WRIST = 0.029, 0.023, 0.018  # half the thickness of a bare arm
_LONG = 0.09  # a garment that reaches further below the hips swings with the legs


def paint_trunk(painter: Painter) -> None:
    """The trunk in its garment, which may hang down over the legs."""
    pose, body, upper = painter.pose, painter.person.body, painter.person.upper
    fit = upper.fit
    cloth = replace(
        painter.cloth(Material.UPPER, Material.UPPER_SECOND, painter.person.upper_patterns),
        split=upper.opening,
        inner=int(Material.INNER),
    )
    depth = body.depth
    levels = [
        (1.02, 0.032, 0.034),
        (0.97, 0.062, 0.046),
        (0.92, body.shoulder - 0.012, depth * 0.86),
        (0.84, body.shoulder * 0.99, depth * 0.98),
        (0.68, body.shoulder * 0.90 * fit, depth * 1.04 * fit),
        (0.36, body.waist * fit * 1.03, depth * 0.96 * fit),
        (0.06, body.hip * (0.5 + 0.5 * fit) * 1.04, depth * 1.05 * (0.5 + 0.5 * fit)),
    ]
    points = [pose.trunk(height) for height, _, _ in levels]
    halves = [painter.half_width(side, deep) for _, side, deep in levels]
    if upper.hem <= _LONG:
        end = -upper.hem / TRUNK
        points.append(pose.trunk(min(end, 0.02)))
        halves.append(halves[-1] * 1.01 + upper.flare)
        painter.put(painter.rings(points, halves), Material.UPPER, cloth)
        return
    top = painter.rings(points, halves)
    rows, lefts, rights = painter.hanging(0.06, halves[-1], upper.hem / 0.48, upper.flare)
    below = outline(rows, lefts, rights)
    painter.put(joined(top, below), Material.UPPER, cloth)


def paint_neck(painter: Painter) -> None:
    """The neck, and a collar around it."""
    pose, upper = painter.pose, painter.person.upper
    low, high = painter.at(pose.trunk(0.93)), painter.at(pose.head)
    painter.tube(low, high, 0.034, 0.028, Material.SKIN, dark=0.86)
    if upper.collar:
        top = painter.at(pose.trunk(1.09, forward=0.004))
        painter.tube(low, top, 0.046, 0.038, Material.UPPER, dark=0.92)


def paint_hood(painter: Painter) -> None:
    """A hood that lies on the shoulders."""
    point = painter.at(painter.pose.trunk(0.99, forward=-0.035))
    wide = painter.half_width(0.062, 0.04)
    shape = ellipse(point, wide * painter.unit, 0.042 * painter.unit)
    painter.put(shape, Material.UPPER, dark=0.88)


def paint_arm(painter: Painter, side: int) -> None:
    """An arm with its sleeve and what it carries; side 0 is the person's left."""
    pose, upper, thick = painter.pose, painter.person.upper, painter.person.body.limb
    joints = (pose.shoulders, pose.elbows, pose.hands)
    shoulder, elbow, hand = (painter.at(joint[side]) for joint in joints)
    dark = 0.84 if side == painter.far and abs(painter.facing) < 0.8 else 0.95
    if side == painter.far:
        luggage.paint_at_hand(painter, side)
    painter.tube(shoulder, elbow, _SHOULDER * thick, _ELBOW * thick, Material.SKIN, dark=dark)
    painter.tube(elbow, hand, _ELBOW * thick, _WRIST * thick, Material.SKIN, dark=dark)
    palm = hand + (hand - elbow) * np.float32(0.14)
    painter.tube(hand, palm, 0.020, 0.017, Material.SKIN, dark=dark)
    if upper.sleeve > 0:
        _sleeve(painter, shoulder, elbow, hand, dark)
    if side == painter.near:
        luggage.paint_at_hand(painter, side)


def _sleeve(painter: Painter, shoulder: Array, elbow: Array, hand: Array, dark: float) -> None:
    upper, thick = painter.person.upper, painter.person.body.limb
    loose = 1.0 + (upper.fit - 1.0) * 1.3
    first = Material.UPPER_SECOND if upper.sleeves_second else Material.UPPER
    patterns = [
        None if upper.sleeves_second else pattern.for_limb(0.45)
        for pattern in painter.person.upper_patterns
    ]
    cloth = replace(painter.cloth(first, Material.UPPER_SECOND, patterns), start=0.02)
    share = min(upper.sleeve / 0.5, 1.0)
    rest = max(upper.sleeve - 0.5, 0.0) / 0.5
    end = shoulder + (elbow - shoulder) * np.float32(share)
    wide = thick * loose
    if rest > 0:
        cuff = elbow + (hand - elbow) * np.float32(rest)
        fore = replace(cloth, start=0.185)
        painter.tube(elbow, cuff, _ELBOW * wide * 1.1, _WRIST * wide * 1.25, first, fore, dark)
    end_radius = _ELBOW * wide * (1.1 if share == 1.0 else 1.28)
    painter.tube(shoulder, end, _SHOULDER * wide * 1.06, end_radius, first, cloth, dark)
