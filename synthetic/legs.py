"""Legs, shoes, trousers and skirts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .painter import ANKLE, KNEE, THIGH, Painter
from .person import Material
from .shapes import outline


def paint_leg(painter: Painter, side: int, dark: float) -> None:
    """A leg with shoe and trouser leg; side 0 is the person's left, `dark` a factor on light."""
    pose, lower, thick = painter.pose, painter.person.lower, painter.person.body.limb
    hip, knee, ankle = (painter.at(j[side]) for j in (pose.hips, pose.knees, pose.ankles))
    skin = Material.SKIN
    painter.tube(hip, knee, THIGH * thick, KNEE * thick, skin, dark=dark)
    painter.tube(knee, ankle, KNEE * thick, ANKLE * thick, skin, dark=dark)
    _shoe(painter, side, dark)
    if lower.skirt:
        return
    patterns = [pattern.for_limb(0.55) for pattern in painter.person.lower_patterns]
    cloth = painter.cloth(Material.LOWER, Material.LOWER_SECOND, patterns)
    wide = thick * lower.thigh
    upper_share = min(lower.length / 0.5, 1.0)
    lower_share = max(lower.length - 0.5, 0.0) / 0.5
    thigh_length = 0.24
    end = hip + (knee - hip) * np.float32(upper_share)
    if lower_share > 0:
        cuff = knee + (ankle - knee) * np.float32(lower_share)
        knee_radius = KNEE * thick * (lower.thigh + lower.ankle) / 2
        ankle_radius = (KNEE + (ANKLE - KNEE) * lower_share) * thick * lower.ankle
        shin = replace(cloth, start=thigh_length)
        painter.tube(knee, cuff, knee_radius, ankle_radius, Material.LOWER, shin, dark)
    else:
        knee_radius = (THIGH + (KNEE - THIGH) * upper_share) * thick * lower.ankle
    painter.tube(hip, end, THIGH * wide, knee_radius, Material.LOWER, cloth, dark)


def _shoe(painter: Painter, side: int, dark: float) -> None:
    pose, person = painter.pose, painter.person
    knee, ankle = painter.at(pose.knees[side]), painter.at(pose.ankles[side])
    heel, toe = painter.at(pose.heels[side]), painter.at(pose.toes[side])
    drop = np.array([0.0, 0.008 * painter.unit], np.float32)
    painter.tube(heel + drop, toe + drop, 0.017, 0.014, Material.SOLE, dark=dark)
    if person.boots:
        top = ankle + (knee - ankle) * np.float32(person.boots)
        painter.tube(top, ankle, 0.034, 0.027, Material.SHOE, dark=dark)
    painter.tube(ankle, toe, 0.026, 0.014, Material.SHOE, dark=dark)
    painter.tube(heel, toe, 0.018, 0.014, Material.SHOE, dark=dark)


def paint_seat(painter: Painter) -> None:
    """The part of the trousers above the legs."""
    pose, body, lower = painter.pose, painter.person.body, painter.person.lower
    cloth = painter.cloth(Material.LOWER, Material.LOWER_SECOND, painter.person.lower_patterns)
    wide = painter.half_width(body.hip * 1.04 * min(lower.thigh, 1.12), body.depth * 1.1)
    shape = painter.rings(
        [pose.trunk(0.16), pose.trunk(0.0), pose.trunk(-0.12), pose.trunk(-0.2)],
        [wide * 0.92, wide, wide * 0.93, wide * 0.5],
    )
    painter.put(shape, Material.LOWER, cloth)


def paint_skirt(painter: Painter) -> None:
    """One tube of cloth around both legs."""
    body, lower = painter.person.body, painter.person.lower
    wide = painter.half_width(body.hip, body.depth)
    rows, lefts, rights = painter.hanging(0.18, wide * 0.92, lower.length, lower.flare)
    cloth = painter.cloth(Material.LOWER, Material.LOWER_SECOND, painter.person.lower_patterns)
    painter.put(outline(rows, lefts, rights), Material.LOWER, cloth)
