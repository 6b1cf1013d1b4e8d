"""Bags: what hangs from a person's shoulders and hands."""

from __future__ import annotations

import numpy as np

from .painter import Array, Painter
from .person import Material
from .shapes import on_grid, outline

_PACK_BACK = -0.092  # middle of a backpack behind the body's axis, body heights


def paint_behind(painter: Painter) -> None:
    """What the body hides: a backpack seen from the front, a bag on the far hip."""
    person = painter.person
    if person.bag == "backpack" and painter.facing >= 0.35:
        _backpack(painter)
    if person.bag == "cross bag" and not _hip_is_near(painter):
        _hip_bag(painter)


def paint_on_trunk(painter: Painter) -> None:
    """Straps over the trunk, and a backpack seen from the side or behind."""
    person = painter.person
    if person.bag == "backpack":
        if painter.facing < 0.35:
            _backpack(painter)
        if painter.facing > -0.35:
            _pack_straps(painter)
    if person.bag == "cross bag":
        _cross_strap(painter)


def paint_in_front(painter: Painter) -> None:
    """What hides the near arm: a bag on the near hip, a tote on the near shoulder."""
    person = painter.person
    if person.bag == "cross bag" and _hip_is_near(painter):
        _hip_bag(painter)


def paint_at_hand(painter: Painter, side: int) -> None:
    """What is carried by one arm; side 0 is the person's left."""
    person = painter.person
    if (person.bag_side > 0) != (side == 0):
        return
    if person.bag == "hand bag":
        _hand_bag(painter, side)
    elif person.bag == "tote":
        _tote(painter)


def _hip_is_near(painter: Painter) -> bool:
    return painter.view.near(0.1 * painter.person.bag_side, 0.02) >= -0.055


def _box(painter: Painter, top: Array, half: float, tall: float) -> None:
    """A bag with rounded corners below the middle of its upper edge, (T, 2) pixels."""
    unit, corner = painter.unit, 0.016
    steps = on_grid(np.array([0.0, corner, tall - corner, tall]) * unit)
    rows = top[:, 1:] + steps[None, :]
    width = on_grid(np.array([half - corner, half, half, half - corner * 0.7]) * unit)[None, :]
    painter.put(outline(rows, top[:, :1] - width, top[:, :1] + width), Material.BAG)


def _backpack(painter: Painter) -> None:
    size = painter.person.bag_size
    back = _PACK_BACK - 0.012 * size
    top = painter.at(painter.pose.trunk(1.0, forward=back))
    half = painter.half_width(0.082 * size, 0.052 * size)
    tall = 0.225 * size
    _box(painter, top, half, tall)
    if painter.facing < 0.5:  # the pocket on its back
        pocket = painter.at(painter.pose.trunk(0.62, forward=back - 0.02 * size))
        end = painter.at(painter.pose.trunk(0.62 - 0.26 * size, forward=back - 0.02 * size))
        inner = painter.half_width(0.055 * size, 0.016 * size)
        wide = on_grid(inner * painter.unit)
        rows = np.stack([pocket[:, 1], end[:, 1]], axis=1)
        xs = np.stack([pocket[:, 0], end[:, 0]], axis=1)
        painter.put(outline(rows, xs - wide, xs + wide), Material.STRAP, dark=0.95)


def _pack_straps(painter: Painter) -> None:
    pose, body = painter.pose, painter.person.body
    for side in (1.0, -1.0):
        if painter.view.near(side * 0.06, 0.05) < 0.0 and abs(painter.facing) < 0.35:
            continue
        high = painter.at(pose.trunk(0.985, side=side * 0.055, forward=0.0))
        chest = painter.at(pose.trunk(0.78, side=side * 0.066, forward=body.depth))
        low = painter.at(pose.trunk(0.45, side=side * 0.082, forward=body.depth * 0.4))
        painter.tube(high, chest, 0.013, 0.012, Material.STRAP)
        painter.tube(chest, low, 0.012, 0.010, Material.STRAP)


def _hip_place(painter: Painter) -> tuple[float, float]:
    body, side = painter.person.body, painter.person.bag_side
    return side * (body.hip * painter.person.upper.fit + 0.026), 0.02


def _cross_strap(painter: Painter) -> None:
    pose, body, side = painter.pose, painter.person.body, painter.person.bag_side
    out, ahead = _hip_place(painter)
    high = painter.at(pose.trunk(0.98, side=-side * 0.058))
    # over the chest or over the back, whichever the camera sees
    chest_forward = body.depth if painter.facing >= 0 else -body.depth
    middle = painter.at(pose.trunk(0.55, side=side * 0.01, forward=chest_forward * 1.05))
    low = painter.at(pose.trunk(0.12, side=out * 0.92, forward=ahead))
    painter.tube(high, middle, 0.0105, 0.0105, Material.STRAP)
    if _hip_is_near(painter) or abs(painter.facing) > 0.5:
        painter.tube(middle, low, 0.0105, 0.0105, Material.STRAP)


def _hip_bag(painter: Painter) -> None:
    size = painter.person.bag_size
    out, ahead = _hip_place(painter)
    top = painter.at(painter.pose.trunk(0.14, side=out, forward=ahead))
    _box(painter, top, painter.half_width(0.034, 0.068 * size), 0.11 * size)


def _hand_bag(painter: Painter, side: int) -> None:
    size = painter.person.bag_size
    hand = painter.at(painter.pose.hands[side])
    half = painter.half_width(0.030, 0.072 * size)
    drop = on_grid(0.075 * painter.unit)
    top = hand + np.array([0.0, drop], np.float32)
    _straps(painter, hand, top, half, 0.008)
    _box(painter, top, half, 0.12 * size)


def _tote(painter: Painter) -> None:
    size, side = painter.person.bag_size, painter.person.bag_side
    body = painter.person.body
    out = side * (body.shoulder + 0.028)
    shoulder = painter.at(painter.pose.trunk(0.985, side=side * body.shoulder * 0.72))
    top = painter.at(painter.pose.trunk(0.36, side=out, forward=-0.02))
    half = painter.half_width(0.032, 0.078 * size)
    _straps(painter, shoulder, top, half, 0.009)
    _box(painter, top, half, 0.15 * size)


def _straps(painter: Painter, start: Array, top: Array, half: float, radius: float) -> None:
    """Two straps from a hand or a shoulder to the corners of a bag."""
    reach = on_grid(half * 0.6 * painter.unit)
    for way in (-1, 1):
        corner = top + np.array([way * reach, np.float32(2)], np.float32)
        painter.tube(start, corner, radius, radius, Material.STRAP)
