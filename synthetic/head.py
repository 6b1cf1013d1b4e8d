"""Head, hair and hats."""

from __future__ import annotations

import numpy as np

from .painter import Array, Painter
from .person import Material
from .shapes import ellipse, on_grid, outline


def paint_hair_behind(painter: Painter) -> None:
    """Hair that falls behind the shoulders, seen from the front."""
    style = painter.person.hair
    if style == "bob":
        _disc(painter, -0.022, -0.018, 0.062, 0.070, Material.HAIR, 0.85)
    elif style == "long":
        low = painter.at(painter.pose.trunk(0.80, forward=-0.05))
        painter.tube(_point(painter, 0.0, -0.02), low, 0.060, 0.055, Material.HAIR, dark=0.85)


def paint_head(painter: Painter) -> None:
    """Skull, face and hair; what faces away from the camera is painted first."""
    _disc(painter, 0.0, 0.0, 0.050, 0.068, Material.SKIN)
    if painter.facing >= -0.35:
        _hair_cap(painter)
        _face(painter)
    else:
        _face(painter)
        _hair_cap(painter)
        _hair_tail(painter)
    _hat(painter)


def _face(painter: Painter) -> None:
    _disc(painter, -0.012, 0.016, 0.042, 0.055, Material.SKIN)
    if painter.facing > -0.2:
        _disc(painter, 0.004, 0.052, 0.026 * max(painter.facing, 0.35), 0.006, Material.FACE)


def _hair_cap(painter: Painter) -> None:
    style = painter.person.hair
    if style == "bald":
        return
    hair = Material.HAIR
    if style == "curly" and painter.person.hat == "none":
        _disc(painter, 0.022, -0.014, 0.082, 0.078, hair)
        return
    away = painter.facing < -0.35
    _disc(painter, 0.018, -0.012, 0.055, 0.060, hair)
    if away or style in ("bob", "long"):
        _disc(painter, 0.0, -0.020, 0.053, 0.066 if style in ("bob", "long") else 0.052, hair)
    if style == "bun":
        _disc(painter, 0.072, -0.035, 0.028, 0.026, hair)
    if style in ("long", "bob", "ponytail") and not away:
        _hair_tail(painter)


def _hair_tail(painter: Painter) -> None:
    style = painter.person.hair
    start = _point(painter, 0.0, -0.035)
    if style == "ponytail":
        start = _point(painter, 0.035, -0.058)
        painter.tube(
            start, painter.at(painter.pose.trunk(0.88, forward=-0.085)), 0.022, 0.012, Material.HAIR
        )
    elif style == "long" and abs(painter.facing) < 0.95:
        end = painter.at(painter.pose.trunk(0.76, forward=-0.055))
        painter.tube(start, end, painter.half_width(0.05, 0.026), 0.03, Material.HAIR)
    elif style == "long" and painter.facing < 0:
        end = painter.at(painter.pose.trunk(0.76, forward=-0.055))
        painter.tube(start, end, 0.050, 0.045, Material.HAIR)
    elif style == "bob" and painter.facing < 0.6:
        end = _point(painter, -0.045, -0.025)
        painter.tube(start, end, painter.half_width(0.054, 0.035), 0.04, Material.HAIR)


def _hat(painter: Painter) -> None:
    kind = painter.person.hat
    size = painter.unit * painter.person.body.head
    if kind == "none":
        return
    band = _point(painter, 0.026, -0.004)
    crown = _point(painter, 0.060, -0.008)
    rows = np.stack([crown[:, 1] - np.float32(0.026 * size), crown[:, 1], band[:, 1]], axis=1)
    rows = np.maximum.accumulate(rows, axis=1)
    width = on_grid(np.array([0.030, 0.056, 0.060]) * size)[None, :]
    middle = crown[:, :1]
    if kind == "brimmed":
        brim = _point(painter, 0.026, 0.0)
        painter.put(ellipse(brim, 0.108 * size, 0.022 * size), Material.HAT, dark=0.85)
    painter.put(outline(rows, middle - width, middle + width), Material.HAT)
    if kind == "cap" and painter.facing > -0.75:
        tip = _point(painter, 0.020, 0.098)
        painter.tube(band, tip, 0.020, 0.014, Material.HAT, dark=0.85)
    if kind == "beanie":
        _disc(painter, 0.098, -0.010, 0.017, 0.017, Material.HAT)


def _point(painter: Painter, up: float, forward: float) -> Array:
    offset = np.array([0.0, up, forward]) * painter.person.body.head
    return painter.at(painter.pose.head + offset)


def _disc(
    painter: Painter,
    up: float,
    forward: float,
    half: float,
    tall: float,
    material: Material,
    dark: float = 1.0,
) -> None:
    size = painter.unit * painter.person.body.head
    point = _point(painter, up, forward)
    painter.put(ellipse(point, half * size, tall * size), material, dark=dark)
