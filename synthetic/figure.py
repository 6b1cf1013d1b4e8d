"""A person in a pose, painted part by part from the far side to the near side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from . import luggage
from .canvas import Canvas
from .head import paint_hair_behind, paint_head
from .legs import paint_leg, paint_seat, paint_skirt
from .painter import Painter
from .person import Person
from .pose import View, walk
from .upper_body import paint_arm, paint_hood, paint_neck, paint_trunk


def paint_person(
    canvas: Canvas, person: Person, view: View, phase: NDArray[np.float64], offset: int = 0
) -> None:
    """Paint a walking person onto every frame.

    Args:
        canvas, person, view: T frames, who walks there, and how the camera sees them.
        phase: (T,) strides.
        offset: added to every label, so that two people can share a canvas.
    """
    painter = Painter(canvas, person, view, walk(person, phase), offset)
    luggage.paint_behind(painter)
    if painter.facing >= 0:
        paint_hair_behind(painter)
    paint_arm(painter, painter.far)
    paint_leg(painter, painter.far, 0.86)
    paint_leg(painter, painter.near, 1.0)
    if person.lower.skirt:
        paint_skirt(painter)
    else:
        paint_seat(painter)
    paint_neck(painter)
    paint_trunk(painter)
    luggage.paint_on_trunk(painter)
    if person.upper.hood and painter.facing >= 0:
        paint_hood(painter)
    paint_head(painter)
    if person.upper.hood and painter.facing < 0:
        paint_hood(painter)
    paint_arm(painter, painter.near)
    luggage.paint_in_front(painter)
