"""What infrared shows at a gap: from reflected light (0) to the body's own heat (1).

Near infrared light is reflected by cloth, and some dyes that differ in colour do not differ there:
a pattern made with them is gone. The further the wavelength, the more of these there are, and the
more of the picture is emitted instead of reflected: skin is warm, cloth is as warm as it is thin,
luggage is cold. Thermal sensors have fewer pixels, a blur, no lamp, and columns that
answer unequally. The two ends are the near infrared of 0.85 micrometres and the thermal infrared of
8 to 14 micrometres; what lies between mixes both, as mid-wave infrared does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from .person import MOST_VIEWS, Lower, Material, Upper, side_label
from .sensor import Sensor
from .streams import Stream, stream

_ROOM = 0.26  # heat of things at the temperature of the room, as a share of the recorded range
_OUTSIDE = 0.07  # of luggage: colder than the room, so that it is seen before body and wall
_FEWER_ROWS = 0.5  # share of the sensor's rows that a thermal one lacks
_BLUR = 0.4  # blur that a thermal lens adds, pixels of the sensor
_PROP = 0.15  # share of a pole's reflectance that is left in its heat
_LENGTH = 0.12  # of a coat's hem below the hips, from which on it is a thick garment


def heat_share(gap: float) -> float:
    """Share of what is recorded that is emitted heat; the rest is reflected light.

    It grows with the square: small gaps lose patterns and little else.
    """
    return gap * gap


def lost_patterns(seed: int, number: int, gap: float) -> tuple[bool, bool]:
    """Whether the dyes of a person's upper and lower garment are alike in infrared.

    Args:
        seed: seed of the data set.
        number: number of the person.
        gap: share of garments of which this holds; a larger one adds garments to a smaller one's.
    """
    upper, lower = stream(seed, Stream.DYE, number).random(2)
    return bool(upper < gap), bool(lower < gap)


def infrared_table(
    reflectance: NDArray[np.uint8],
    clothes: tuple[Upper, Lower],
    seed: int,
    number: int,
    gap: float,
) -> NDArray[np.uint8]:
    """What a person's materials give an infrared sensor.

    Args:
        reflectance: of all materials in near infrared, (M,) uint8.
        clothes: upper and lower garment: thick or wide cloth keeps the warmth in.
        seed: seed of the data set.
        number: number of the person.
        gap: 0 near infrared, 1 thermal.

    Returns:
        (M,) uint8; at gap 0 the reflectance as it is.
    """
    if gap == 0:
        return reflectance
    table = reflectance.astype(np.float64)
    for lost, first in zip(lost_patterns(seed, number, gap), (Material.UPPER, Material.LOWER)):
        if lost:
            table[_rows(first + 1)] = table[_rows(first)]
    heat = heat_share(gap)
    emitted = 255 * _warmth(clothes, stream(seed, Stream.HEAT, number), len(table))
    mixed = np.floor((1 - heat) * table + heat * emitted)
    return mixed.clip(0, 255).astype(np.uint8)


def _rows(material: int) -> list[int]:
    """Rows of a garment's first or second colour on all sides."""
    return [side_label(material, side) for side in range(MOST_VIEWS)]


def _warmth(
    clothes: tuple[Upper, Lower], rng: np.random.Generator, materials: int
) -> NDArray[np.float64]:
    """Heat of every material, 0 to 1; without any pattern, since heat comes through the cloth."""
    upper, lower = clothes
    own = rng.uniform(-0.03, 0.03, 6)
    coat = 0.08 if upper.hem > _LENGTH else 0.0
    trunk = 0.74 - 0.75 * (upper.fit - 1.0) - coat + own[0]
    legs = (0.52 if lower.skirt else 0.68 - 0.6 * (lower.thigh - 1.0)) + own[1]
    warmth = np.zeros(materials)
    for material, heat in (
        (Material.SKIN, 0.92 + own[2]),
        (Material.FACE, 0.84 + own[2]),
        (Material.HAIR, 0.58 + own[3]),
        (Material.HAT, 0.46 + own[4]),
        (Material.INNER, 0.80 + own[0]),
        (Material.BAG, _OUTSIDE + own[5]),
        (Material.STRAP, _OUTSIDE + 0.04 + own[5]),
        (Material.SHOE, 0.42 + own[4]),
        (Material.SOLE, 0.34 + own[4]),
    ):
        warmth[material] = heat
    for first, heat in ((Material.UPPER, trunk), (Material.LOWER, legs)):
        warmth[_rows(first) + _rows(first + 1)] = heat
    return warmth


def infrared_scene(
    scene: NDArray[np.uint8], seed: int, number: int, gap: float
) -> NDArray[np.uint8]:
    """What is behind people: with heat, a room of nearly one temperature.

    Args:
        scene: reflected light, (H, W, 1) uint8.
        seed: seed of the data set.
        number: number of the camera.
        gap: 0 near infrared, 1 thermal.

    Returns:
        The same shape; at gap 0 the scene as it is.
    """
    if gap == 0:
        return scene
    heat = heat_share(gap)
    room = 255 * (_ROOM + float(stream(seed, Stream.THERMAL, number).uniform(-0.08, 0.08)))
    soft = np.asarray(Image.fromarray(scene[:, :, 0]).filter(ImageFilter.BoxBlur(5)))
    emitted = room + (soft.astype(np.float64) - float(soft.mean())) * 0.22
    mixed = np.floor((1 - heat) * scene[:, :, 0] + heat * emitted)
    return mixed.clip(0, 255).astype(np.uint8)[:, :, None]


def pole_in_infrared(reflected: int, heat: float) -> int:
    """What a pole or box in front of people gives a sensor with this share of heat."""
    return int((1 - heat) * reflected + heat * (255 * _ROOM + _PROP * (reflected - 128)))


def infrared_sensor(sensor: Sensor, seed: int, number: int, gap: float) -> Sensor:
    """An infrared sensor at a gap: fewer rows, more blur, no lamp, unequal columns.

    Args:
        sensor: of near infrared.
        seed: seed of the data set.
        number: number of the camera.
        gap: 0 near infrared, 1 thermal.
    """
    if gap == 0:
        return sensor
    heat = heat_share(gap)
    stripes = int(stream(seed, Stream.THERMAL, number, 1).integers(3, 7))
    return replace(
        sensor,
        height=4 * int(sensor.height * (1 - _FEWER_ROWS * heat) / 4),
        noise=max(2, int(sensor.noise * (1 - 0.4 * heat))),
        blur=int((sensor.blur + _BLUR * heat) * 20) / 20,
        glow=int(sensor.glow + (256 - sensor.glow) * heat),
        heat=heat,
        stripes=int(stripes * heat + 0.5),
    )
