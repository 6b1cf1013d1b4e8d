"""One sighting: a person walks past a camera for some frames."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ..datasets.track import Modality
from .camera import PANORAMA, SHADOW, Camera, packed, shades_seen
from .canvas import Canvas, Cloth
from .figure import paint_person
from .infrared import pole_in_infrared
from .person import MATERIALS, Person
from .pose import View
from .sensor import Sensor
from .shapes import HEIGHT, SUPERSAMPLING, WIDTH, ellipse, outline
from .streams import Stream, stream

FRAME_HEIGHT, FRAME_WIDTH = HEIGHT // SUPERSAMPLING, WIDTH // SUPERSAMPLING
_OTHER = MATERIALS  # labels of a passer-by start here
_PROP = 2 * MATERIALS  # label of a pole or box in front


@dataclass(frozen=True, slots=True)
class Sighting:
    """Which sighting is rendered; together with the seed it fixes every pixel.

    Attributes:
        seed: seed of the data set.
        person: number of the person.
        place: camera number.
        track: number of the tracklet of this person in this camera.
        frames: number of frames, at least 1.
        stride: frames of a walk between two that are kept.
    """

    seed: int
    person: int
    place: int
    track: int
    frames: int
    stride: int = 1


def _drift(rng: np.random.Generator, frames: int, size: float) -> NDArray[np.float64]:
    """A slow random walk within +-size: how the box of a detector wobbles."""
    steps = rng.integers(-100, 101, frames).astype(np.float64) / 100
    path = np.zeros(frames)
    for i in range(1, frames):
        path[i] = 0.8 * path[i - 1] + 0.45 * steps[i]
    return np.clip(path, -1, 1) * size


def _draw_view(rng: np.random.Generator, camera: Camera, frames: int) -> tuple[View, int]:
    """How the walker lies in the box; also which way the walk runs in the picture."""
    turned = -1 if rng.random() < 0.25 else 1
    yaw = turned * (camera.yaw + float(rng.uniform(-0.16, 0.16)))
    size = float(rng.uniform(0.84, 0.95))
    growth = float(rng.uniform(-0.03, 0.03)) * np.linspace(-1, 1, frames)
    scale = HEIGHT * (size + growth + _drift(rng, frames, 0.012))
    middle = (1 - size) * 0.5 + float(rng.uniform(-0.02, 0.02))
    ground = HEIGHT * (1 - middle + _drift(rng, frames, 0.010))
    x = WIDTH * (0.5 + float(rng.uniform(-0.07, 0.07)) + _drift(rng, frames, 0.030))
    way = turned if camera.yaw > 0 else -turned
    return View(yaw, camera.pitch, scale, x, ground), way


def _paint_pole(canvas: Canvas, rng: np.random.Generator, frames: int, way: int) -> None:
    """A pole or a low box between the camera and the walker."""
    low = rng.random() < 0.5
    half = float(rng.integers(12, 34)) if low else float(rng.integers(5, 13))
    top = float(rng.integers(150, 200)) if low else 0.0
    start = float(rng.integers(-10, WIDTH + 10))
    speed = -way * float(rng.integers(0, 13)) / 2
    x = (start + speed * np.arange(frames)).astype(np.float32)
    rows = np.tile(np.array([[top, HEIGHT + 1]], np.float32), (frames, 1))
    ends = np.stack([x, x], axis=1)
    shape = outline(rows, ends - np.float32(half), ends + np.float32(half))
    canvas.paint(shape, Cloth(_PROP))


def _paint_passer_by(
    canvas: Canvas, rng: np.random.Generator, other: Person, frames: int, yaw: float
) -> None:
    """Someone nearer to the camera crosses the picture; mostly the lower body is in the box."""
    scale = HEIGHT * float(rng.uniform(1.1, 1.4))
    ground = np.full(frames, HEIGHT * float(rng.uniform(1.2, 1.45)))
    way = 1 if rng.random() < 0.5 else -1
    speed = way * float(rng.uniform(8.0, 15.0))
    middle = float(rng.integers(0, frames))
    x = WIDTH / 2 + speed * (np.arange(frames, dtype=np.float64) - middle)
    view = View(way * (1.3 + 0.3 * yaw / 3), 0.05, np.full(frames, scale), x, ground)
    phase = float(rng.random()) + other.gait.rate * np.arange(frames, dtype=np.float64)
    paint_person(canvas, other, view, phase, _OTHER)


def colour_table(
    sensor: Sensor, person: Person, other: Person | None, prop: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """(labels, C) light values of all labels."""
    if sensor.modality is Modality.VISIBLE:
        return np.concatenate([person.visible, (other or person).visible, [prop]]).astype(np.uint16)
    pole = pole_in_infrared(int(prop[0]), sensor.heat)
    grey = np.concatenate([person.infrared, (other or person).infrared, [pole]])
    return grey[:, None].astype(np.uint16)


def _record(
    light: NDArray[np.uint8] | NDArray[np.uint32],
    sensor: Sensor,
    noise: NDArray[np.int16],
    glow: NDArray[np.uint16],
    tone: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """One frame through lens and sensor: (256, 128) packed light to (128, 64, C) values."""
    size = (sensor.height // 2, sensor.height)
    mode = "L" if light.dtype == np.uint8 else "RGBX"
    content = light.view(np.uint8)
    image = Image.frombuffer(mode, (WIDTH, HEIGHT), content, "raw", mode, 0, 1)
    image = image.resize(size, Image.Resampling.BOX)
    if sensor.blur > 0:
        image = image.filter(ImageFilter.BoxBlur(sensor.blur))
    values = np.asarray(image).reshape(sensor.height, sensor.height // 2, -1)
    if sensor.glow < 256:
        values = ((values * glow) >> 8).astype(np.uint8)
    toned = np.empty((*values.shape[:2], len(tone)), np.int16)
    for channel, curve in enumerate(tone):
        toned[:, :, channel] = curve[values[:, :, channel]]
    toned += noise
    noisy = toned.clip(0, 255).astype(np.uint8)
    final = Image.fromarray(noisy if noisy.shape[2] == 3 else noisy[:, :, 0])
    final = final.resize((FRAME_WIDTH, FRAME_HEIGHT), Image.Resampling.BICUBIC)
    return np.asarray(final).reshape(FRAME_HEIGHT, FRAME_WIDTH, -1)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], strength: int) -> NDArray[np.int16]:
    """Bell-shaped integer noise with the given standard deviation: the sum of two bytes."""
    bell = rng.integers(0, 256, shape, np.uint8).astype(np.int32)
    bell += rng.integers(0, 256, shape, np.uint8)
    return (((bell - 255) * strength + 52) // 104).astype(np.int16)


def _glow(height: int, edge: int, x: int, y: int) -> NDArray[np.uint16]:
    """Light of a lamp beside the lens: 256 in the middle, less towards the edge."""
    rows = (np.arange(height) - height // 2 - y)[:, None]
    columns = (np.arange(height // 2) - height // 4 - x)[None, :]
    far = (rows * rows + 2 * columns * columns) * 4 * (256 - edge) // (height * height)
    return np.clip(256 - far, 64, 256).astype(np.uint16)[:, :, None]


def render_tracklet(
    sighting: Sighting, person: Person, camera: Camera, other: Person | None = None
) -> NDArray[np.uint8]:
    """Render the frames of one sighting.

    Args:
        sighting: which sighting; it chooses the random streams.
        person: who is seen.
        camera: by which camera.
        other: who may pass in front; without anyone, only poles and boxes do.

    Returns:
        (T, 128, 64, C) uint8; C = 3 (RGB) for a visible camera, 1 for an infrared one.
    """
    frames, sensor = sighting.frames, camera.sensor
    keys = (sighting.person, sighting.place, sighting.track)
    # the walk does not depend on the modality: two sensors at one place see the same walk
    rng = stream(sighting.seed, Stream.WALK, *keys)
    view, way = _draw_view(rng, camera, frames)
    steps = sighting.stride * np.arange(frames, dtype=np.float64)
    phase = float(rng.random()) + person.gait.rate * steps
    canvas = Canvas(frames, sensor.light)
    feet = np.stack([view.x, view.ground], axis=1).astype(np.float32)
    feet = np.round(feet * 16) / np.float32(16)
    canvas.darken_ground(ellipse(feet, 34.0, 6.0), SHADOW)
    paint_person(canvas, person, view, phase)
    blocked = rng.random()
    prop = rng.integers(40, 200, 3)
    if blocked < 0.04:
        _paint_pole(canvas, rng, frames, way)
    elif blocked < 0.08 and other is not None:
        _paint_passer_by(canvas, rng, other, frames, camera.yaw)
    start = int(rng.integers(PANORAMA))
    speed = abs(float(np.sin(camera.yaw))) * 3.0 * float(rng.uniform(0.8, 1.2))
    speed = way * round(speed * 64) / 64
    dust = stream(sighting.seed, Stream.NOISE, *keys, int(sensor.modality))
    exposure = int(dust.integers(225, 288))
    exposed = np.minimum(np.arange(256) * exposure >> 8, 255)
    tone = sensor.tone[:, exposed]
    noise = _noise(dust, (frames, sensor.height, sensor.height // 2, len(tone)), sensor.noise)
    if sensor.stripes:
        noise += _noise(dust, (1, 1, sensor.height // 2, 1), sensor.stripes)
    glow = _glow(
        sensor.height, sensor.glow, int(dust.integers(-12, 13)), int(dust.integers(-24, 25))
    )
    colours = packed(shaded(colour_table(sensor, person, other, prop), sensor.heat))
    out = np.empty((frames, FRAME_HEIGHT, FRAME_WIDTH, len(tone)), np.uint8)
    for t in range(frames):
        column = int(start + round(speed * t)) % PANORAMA
        window = slice(column, column + WIDTH)
        label, shade = canvas.label[t], canvas.shade[t]
        light = colours[(label.astype(np.uint16) << 8) | shade]
        behind = label == 0
        np.copyto(light, camera.scene[:, window], where=behind)
        shadow = behind & (shade == SHADOW)
        np.copyto(light, camera.shadowed[:, window], where=shadow)
        out[t] = _record(light, sensor, noise[t], glow, tone)
    return out


def shaded(table: NDArray[np.uint16], heat: float) -> NDArray[np.uint8]:
    """Light of every label in every shade: (L, C) to (L * 256, C)."""
    light = table[:, None, :] * shades_seen(heat)[None, :, None] >> 7
    return np.minimum(light, 255).astype(np.uint8).reshape(-1, table.shape[1])


def encode_frame(frame: NDArray[np.uint8], quality: int, suffix: str = ".jpg") -> bytes:
    """A frame as an image file.

    Args:
        frame: (128, 64, 3) or (128, 64, 1) uint8.
        quality: JPEG quality.
        suffix: ".jpg", or ".bmp" for a file without compression.

    Returns:
        The bytes of the file.
    """
    buffer = io.BytesIO()
    image = Image.fromarray(frame if frame.shape[2] == 3 else frame[:, :, 0])
    image.save(buffer, "BMP" if suffix == ".bmp" else "JPEG", quality=quality)
    return buffer.getvalue()
