"""Pictures of one camera of a scene: people before its background, visible or 16-bit thermal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..datasets.track import Modality
from .camera import Camera, draw_camera, packed
from .canvas import Canvas
from .figure import paint_person
from .pose import View
from .scene_plan import CAMERAS, SceneCamera, Walk
from .shapes import HEIGHT, WIDTH
from .streams import Stream, stream
from .tracklet import colour_table, shaded
from .wardrobe import draw_person

GAIT_RATE = 11  # frames a second for which a gait's strides are drawn
_BODY = 0.9  # height of a body on its canvas
_FEET = 0.96  # row of the ground there
# Raw values of a 16-bit thermal sensor: a step of the painted light is about a quarter degree.
_RAW_LOWEST, _RAW_STEP, _RAW_NOISE, _RAW_DRIFT = 28_000, 24, 10, 600

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Person:
    """One person in one picture.

    Attributes:
        number: of the person.
        walk: index of the walk among the camera's.
        box: left, top, width, height of what would be seen of them alone; pixels.
        covered: share of the person that somebody nearer hides.
    """

    number: int
    walk: int
    box: tuple[float, float, float, float]
    covered: float


@dataclass(frozen=True, slots=True)
class _Figures:
    """A walk's figures, one a frame: light [T, h, w, C] times opacity [T, h, w, 1]."""

    first: int
    light: NDArray[np.uint8]
    opacity: NDArray[np.uint8]


def scene_pictures(
    index: int, walks: Sequence[Walk], seconds: float, seed: int, gap: float
) -> Iterator[tuple[NDArray[np.uint8] | NDArray[np.uint16], list[Person]]]:
    """Renders the pictures of a camera, one after the other.

    Args:
        index: of the camera in `CAMERAS`.
        walks: those of this camera.
        seconds: length of the scene.
        seed: seed of the scene.
        gap: what infrared loses, 0 to 1.

    Yields:
        [H, W, 3] uint8 or, of an infrared camera, [H, W] uint16; and who is in the picture.
    """
    where = CAMERAS[index]
    camera = draw_camera(seed, where.number, where.modality, where.place, gap)
    behind = _background(camera, where)
    dust = stream(seed, Stream.NOISE, where.number)
    stripes = dust.normal(0, camera.sensor.stripes / 2, (1, where.width, 1))
    shown: dict[int, _Figures] = {}
    for frame in range(round(seconds * where.rate)):
        time = frame / where.rate
        for number, walk in enumerate(walks):
            if number not in shown and walk.begin <= time < walk.end:
                shown[number] = _figures(walk, where, camera, frame, seed, gap)
        shown = {number: one for number, one in shown.items() if time < walks[number].end}
        light = behind.copy()
        people = _compose(light, where, walks, shown, frame)
        noise = dust.normal(0, 1, light.shape).astype(np.float32)
        if where.modality is Modality.VISIBLE:
            tone = camera.sensor.tone
            seen = np.stack([tone[c][light[..., c].astype(np.uint8)] for c in range(3)], axis=-1)
            noisy = seen + noise * camera.sensor.noise / 2
            yield noisy.clip(0, 255).astype(np.uint8), people
        else:
            # Until its next calibration a thermal sensor drifts with its own warmth.
            drift = _RAW_DRIFT * (time % 60) / 60
            raw = _RAW_LOWEST + drift + (light + stripes) * _RAW_STEP + noise * _RAW_NOISE
            yield raw[..., 0].clip(0, 65535).astype(np.uint16), people


def _unpacked(light: NDArray[np.uint8] | NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Packed pixels (...) as (..., C)."""
    if light.dtype == np.uint8:
        return light[..., None].view(np.uint8)
    return np.ascontiguousarray(light).view(np.uint8).reshape(*light.shape, 4)[..., :3]


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    image = Image.fromarray(picture if picture.shape[2] == 3 else picture[..., 0])
    image = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(image).reshape(height, width, -1)


def _background(camera: Camera, where: SceneCamera) -> Array:
    columns = HEIGHT * where.width // where.height
    scene = _unpacked(camera.scene)[:, :columns]
    return _resized(np.ascontiguousarray(scene), where.width, where.height).astype(np.float32)


def _figures(
    walk: Walk, where: SceneCamera, camera: Camera, first: int, seed: int, gap: float
) -> _Figures:
    """Paints a walk at the size in which it is seen."""
    frames = max(1, int(np.ceil((walk.end - first / where.rate) * where.rate)))
    person = draw_person(seed, walk.person, gap, 1)
    phase = walk.stride + person.gait.rate * GAIT_RATE / where.rate * np.arange(
        frames, dtype=np.float64
    )
    same = np.ones(frames)
    view = View(
        walk.way * abs(camera.yaw),
        camera.pitch,
        _BODY * HEIGHT * same,
        WIDTH / 2 * same,
        _FEET * HEIGHT * same,
    )
    canvas = Canvas(frames, camera.sensor.light)
    paint_person(canvas, person, view, phase)
    table = colour_table(camera.sensor, person, None, np.zeros(3, np.int64))
    colours = packed(shaded(table, camera.sensor.heat))
    height = max(8, round(_height(walk, where) / _BODY))
    width = max(4, height // 2)
    light, opacity = [], []
    for label, shade in zip(canvas.label, canvas.shade):
        solid = ((label > 0) * np.uint8(255))[..., None]
        seen = _unpacked(colours[(label.astype(np.uint16) << 8) | shade]) * (solid > 0)
        light.append(_resized(seen.astype(np.uint8), width, height))
        opacity.append(_resized(solid, width, height))
    return _Figures(first, np.stack(light), np.stack(opacity))


def _height(walk: Walk, where: SceneCamera) -> float:
    """Of the person in the picture, pixels."""
    return where.height * (0.36 + 0.24 * walk.lane)


def _compose(
    light: Array,
    where: SceneCamera,
    walks: Sequence[Walk],
    shown: dict[int, _Figures],
    frame: int,
) -> list[Person]:
    """Paints who is in the picture, the farthest first; says who is there and how much is seen."""
    owner = np.full(light.shape[:2], -1)
    alone: list[tuple[int, tuple[float, float, float, float], int]] = []
    for number in sorted(shown, key=lambda n: walks[n].lane):
        walk, figures = walks[number], shown[number]
        step = min(frame - figures.first, len(figures.light) - 1)
        share = (frame / where.rate - walk.begin) / (walk.end - walk.begin)
        share = share if walk.way > 0 else 1 - share
        high, wide = figures.light.shape[1:3]
        left = round(-wide / 2 + share * where.width - 0.1 * wide * (1 - 2 * share))
        top = round(where.height * (0.72 + 0.24 * walk.lane) - _FEET * high)
        rows = slice(max(top, 0), min(top + high, where.height))
        columns = slice(max(left, 0), min(left + wide, where.width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        inside = np.s_[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        solid = figures.opacity[step]
        opacity = solid[inside].astype(np.float32) / 255
        region = light[rows, columns]
        region *= 1 - opacity
        region += figures.light[step][inside]
        owner[rows, columns][opacity[..., 0] > 0.5] = number
        ys, xs = np.nonzero(solid[..., 0] > 127)
        if len(ys):
            box = (left + xs.min(), top + ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1)
            alone.append((number, tuple(map(float, box)), len(ys)))  # type: ignore[arg-type]
    return [
        Person(walks[number].person, number, box, 1 - float((owner == number).sum()) / pixels)
        for number, box, pixels in alone
    ]
