"""What a person is: build, way of walking, clothes, things carried, and how each reflects.

`wardrobe.draw_person` draws one; lengths are in body heights throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .patterns import Pattern


class Material(IntEnum):
    """Rows of a person's colour table; 0 is whatever lies behind the person."""

    BEHIND = 0
    SKIN = 1
    HAIR = 2
    UPPER = 3
    UPPER_SECOND = 4
    LOWER = 5
    LOWER_SECOND = 6
    SHOE = 7
    BAG = 8
    STRAP = 9
    HAT = 10
    INNER = 11
    SOLE = 12
    FACE = 13


MOST_VIEWS = 4  # sides of a person: front, left, back and right
_OTHER_SIDES = 16  # rows from here on: the garments' colours on other sides than the front
_GARMENTS = 4  # colours of garments on a side, UPPER to LOWER_SECOND
MATERIALS = _OTHER_SIDES + _GARMENTS * (MOST_VIEWS - 1)


def side_label(material: int, side: int) -> int:
    """Row of a garment's colour (UPPER to LOWER_SECOND) on a side; side 0 is the front."""
    if side == 0:
        return int(material)
    return _OTHER_SIDES + _GARMENTS * (side - 1) + int(material) - Material.UPPER


@dataclass(frozen=True, slots=True)
class Body:
    """Proportions; lengths in body heights.

    Attributes:
        shoulder: half the width at the shoulders.
        waist: half the width at the waist.
        hip: half the width at the hips.
        depth: half the depth of the chest.
        leg: height of the hip joints.
        limb: factor on the thickness of arms and legs.
        head: factor on the size of the head.
    """

    shoulder: float
    waist: float
    hip: float
    depth: float
    leg: float
    limb: float
    head: float


@dataclass(frozen=True, slots=True)
class Gait:
    """How the person walks; angles in radians.

    Attributes:
        rate: strides (two steps) for each frame.
        thigh: amplitude of the thigh.
        knee: greatest bend of the knee.
        arm: amplitude of the upper arm.
        elbow: bend of the elbow at rest.
        lean: forward lean of the trunk.
        sway: sideways sway of the trunk, in body heights.
    """

    rate: float
    thigh: float
    knee: float
    arm: float
    elbow: float
    lean: float
    sway: float


@dataclass(frozen=True, slots=True)
class Upper:
    """Upper garment; lengths in body heights.

    Attributes:
        kind: its name.
        sleeve: covered share of the arm, 0 to 1.
        hem: how far it reaches below the hip joint (negative: above).
        fit: factor on the width of the trunk.
        flare: additional half width at the hem.
        opening: half width of the gap in front, in turns; 0 where it is closed.
        hood: a hood lies on the shoulders.
        collar: the neck is covered.
        sleeves_second: the sleeves have the second colour throughout.
        pattern: what the cloth shows.
    """

    kind: str
    sleeve: float
    hem: float
    fit: float
    flare: float
    opening: float
    hood: bool
    collar: bool
    sleeves_second: bool
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Lower:
    """Lower garment.

    Attributes:
        kind: its name.
        length: covered share of the leg, 0 to 1.
        thigh: factor on the thickness at the thigh.
        ankle: factor on the thickness at the lower end.
        skirt: one tube around both legs.
        flare: additional half width of a skirt's hem, in body heights.
        pattern: what the cloth shows.
    """

    kind: str
    length: float
    thigh: float
    ankle: float
    skirt: bool
    flare: float
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Side:
    """What the garments show on another side than the front.

    Attributes:
        upper: pattern of the upper garment.
        lower: pattern of the lower one.
    """

    upper: Pattern
    lower: Pattern


@dataclass(frozen=True, slots=True)
class Person:
    """Everything that makes a person the same person in every camera.

    Attributes:
        body, gait, upper, lower: see there.
        hair: name of the hair style.
        hat: name of the hat or "none".
        bag: name of what is carried or "none".
        bag_side: +1 where it is on the person's left, -1 on the right.
        bag_size: factor on its size.
        boots: share of the shank that the shoes cover.
        visible: colours of the materials, (MATERIALS, 3) uint8, RGB.
        infrared: what the materials give in infrared, (MATERIALS,) uint8, 255 = most.
        sides: what the other sides than the front show, the person's left first; none where the
            clothes look the same all around.
    """

    body: Body
    gait: Gait
    upper: Upper
    lower: Lower
    hair: str
    hat: str
    bag: str
    bag_side: int
    bag_size: float
    boots: float
    visible: NDArray[np.uint8]
    infrared: NDArray[np.uint8]
    sides: tuple[Side, ...] = ()

    @property
    def upper_patterns(self) -> tuple[Pattern, ...]:
        """What the upper garment shows on each side, the front first."""
        return (self.upper.pattern, *(side.upper for side in self.sides))

    @property
    def lower_patterns(self) -> tuple[Pattern, ...]:
        """What the lower garment shows on each side, the front first."""
        return (self.lower.pattern, *(side.lower for side in self.sides))
