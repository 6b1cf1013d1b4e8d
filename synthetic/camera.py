"""What a camera is: where it looks from, what it sees behind people, and its sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ..datasets.track import Modality
from .canvas import NEUTRAL_SHADE
from .infrared import infrared_scene, infrared_sensor
from .sensor import Sensor, draw_sensor
from .shapes import HEIGHT, WIDTH
from .streams import Stream, stream

PANORAMA = 1024  # width of the scene behind the people, at the painted size
SHADOW = 92  # shade value of ground in shadow


def packed(light: NDArray[np.uint8]) -> NDArray[np.uint8] | NDArray[np.uint32]:
    """Pack the channels of each pixel, so that a whole pixel is looked up or copied at once.

    Args:
        light: (..., 3) or (..., 1) uint8.

    Returns:
        (...): uint32 that holds the three channels and an unused byte, or the uint8 itself.
    """
    if light.shape[-1] == 1:
        return np.ascontiguousarray(light[..., 0])
    pixels = np.zeros((*light.shape[:-1], 4), np.uint8)
    pixels[..., :3] = light
    return pixels.view(np.uint32)[..., 0]


def shades_seen(heat: float) -> NDArray[np.uint16]:
    """How bright each shade value is to a sensor: half of the shading of light is left in heat.

    Args:
        heat: share of what is recorded that is emitted heat.

    Returns:
        (256,) shade values; without heat, each its own.
    """
    away = np.arange(256) - NEUTRAL_SHADE
    return (NEUTRAL_SHADE + (away * (256 - int(128 * heat)) >> 8)).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class Camera:
    """A place to look from, with one sensor.

    Attributes:
        number: as the data set counts it.
        yaw: usual walking direction as this camera sees it, radians (see `View.yaw`).
        pitch: how far it looks down, radians.
        scene: what is behind people, packed pixels (256, 1024 + 128); the last 128 columns repeat
            the first.
        shadowed: the same in shadow.
        sensor: how it records.
    """

    number: int
    yaw: float
    pitch: float
    scene: NDArray[np.uint8] | NDArray[np.uint32]
    shadowed: NDArray[np.uint8] | NDArray[np.uint32]
    sensor: Sensor


def _smooth_noise(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.int64]:
    """Clouds between -128 and 127, (256, 1024), made of `rows` x `columns` random values."""
    grid = rng.integers(0, 256, (rows, columns), dtype=np.uint8)
    grid[:, -1] = grid[:, 0]
    cloud = Image.fromarray(grid).resize((PANORAMA, HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(cloud).astype(np.int64) - 128


def _draw_scene(rng: np.random.Generator, modality: Modality) -> NDArray[np.uint8]:
    """A wall above a floor, with furniture; muted, as streets and corridors are.

    The number of draws does not depend on the modality, so two sensors at one place see the same
    things; what these reflect in infrared is drawn apart from their colour.
    """
    channels = 3 if modality is Modality.VISIBLE else 1

    def muted(low: int, high: int, spread: int) -> NDArray[np.int64]:
        colour = int(rng.integers(low, high)) + rng.integers(-spread, spread + 1, 3)
        reflectance = rng.integers(low, high, 1)
        return colour if modality is Modality.VISIBLE else reflectance

    scene = np.empty((HEIGHT, PANORAMA, channels), np.int64)
    horizon = int(rng.integers(120, 200))
    scene[:horizon] = muted(70, 190, 14)
    scene[horizon:] = muted(60, 180, 12)
    if rng.random() < 0.5:  # panels or bricks on the wall
        height, width = int(rng.integers(14, 46)), int(2 ** rng.integers(5, 8))
        line = muted(-26, 26, 4)
        for i, row in enumerate(range(0, horizon, height)):
            scene[row : row + 2] += line
            shift = (i % 2) * width // 2
            for column in range(shift, PANORAMA, width):
                scene[row : min(row + height, horizon), column : column + 2] += line
    if rng.random() < 0.6:  # joints between the flags of the floor, closer together further away
        depth, gap = float(horizon), 3.0
        line = muted(-22, 22, 3)
        while depth < HEIGHT:
            scene[int(depth) : int(depth) + 2] += line
            depth, gap = depth + gap, gap * 1.5
    for _ in range(int(rng.integers(6, 13))):  # doors, windows, cars, boxes
        width, height = int(rng.integers(24, 120)), int(rng.integers(24, 110))
        bottom = horizon + int(rng.integers(-40, 36))
        column = int(rng.integers(0, PANORAMA - width))
        colour = muted(40, 215, 40)
        top = max(bottom - height, 0)
        scene[top:bottom, column : column + width] = colour
        if rng.random() < 0.5:
            scene[top + 5 : bottom - 5, column + 5 : column + width - 5] += muted(-40, 40, 8)
    for _ in range(int(rng.integers(3, 8))):  # poles
        width, column = int(rng.integers(4, 13)), int(rng.integers(0, PANORAMA - 14))
        bottom = horizon + int(rng.integers(0, 50))
        scene[:bottom, column : column + width] = muted(40, 200, 20)
    scene += (_smooth_noise(rng, 5, 17) // 4)[:, :, None]
    scene += (_smooth_noise(rng, 33, 129) // 9)[:, :, None]
    scene[horizon : horizon + 3] -= 14
    picture = scene.clip(0, 255).astype(np.uint8)
    image = Image.fromarray(picture if channels == 3 else picture[:, :, 0])
    blurred = image.filter(ImageFilter.BoxBlur(int(rng.integers(1, 3))))
    return np.asarray(blurred).reshape(HEIGHT, PANORAMA, channels)


def draw_camera(seed: int, number: int, modality: Modality, place: int, gap: float = 0.0) -> Camera:
    """Draw a camera of a data set.

    Args:
        seed: seed of the data set.
        number: camera number; it fixes the view, so two sensors with one number look from one
            place.
        modality: spectrum of the sensor.
        place: which of the modality's cameras this is; front, side and back views take turns.
        gap: what an infrared sensor loses, 0 (near infrared) to 1 (thermal).

    Returns:
        The camera; the same arguments give the same camera on every machine.
    """
    view = stream(seed, Stream.CAMERA, number)
    low, high = ((0.35, 0.75), (1.20, 1.80), (2.30, 2.75))[place % 3]
    sign = 1.0 if view.random() < 0.5 else -1.0
    yaw = sign * float(view.uniform(low, high))
    pitch = float(view.uniform(0.02, 0.22))
    sensor = draw_sensor(stream(seed, Stream.SENSOR, number, int(modality)), modality)
    scene = _draw_scene(stream(seed, Stream.CAMERA, number, 1), modality)
    if modality is Modality.INFRARED:
        scene = infrared_scene(scene, seed, number, gap)
        sensor = infrared_sensor(sensor, seed, number, gap)
    scene = np.concatenate([scene, scene[:, :WIDTH]], axis=1)
    shadow = shades_seen(sensor.heat)[SHADOW]
    shadowed = (scene.astype(np.uint16) * shadow // NEUTRAL_SHADE).astype(np.uint8)
    return Camera(number, yaw, pitch, packed(scene), packed(shadowed), sensor)
