"""How a camera's sensor turns light into a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets.track import Modality


@dataclass(frozen=True, slots=True)
class Sensor:
    """How light becomes a picture.

    Attributes:
        modality: visible or infrared.
        tone: (C, 256) uint8, recorded value of each light value; C = 3 visible, 1 infrared.
        height: rows of a box at the sensor's own resolution; the width is half of it.
        noise: strength of the noise, grey values.
        blur: radius of the lens blur, pixels of the sensor.
        glow: brightness at the edge of the box relative to its middle, in 1/256.
        quality: JPEG quality.
        light: where the light comes from, -1 left to 1 right.
        heat: share of what is recorded that is emitted heat, 0 to 1.
        stripes: strength of the columns' unequal answers, grey values.
    """

    modality: Modality
    tone: NDArray[np.uint8]
    height: int
    noise: int
    blur: float
    glow: int
    quality: int
    light: float
    heat: float = 0.0
    stripes: int = 0


def _tone(gain: float, gamma: float, haze: float) -> NDArray[np.uint8]:
    """Recorded value of every light value: gain and gamma, lifted by haze."""
    light = np.minimum(np.arange(256) / 255 * gain, 1.0)
    return np.floor((haze + (1 - haze) * light**gamma) * 255 + 0.37).clip(0, 255).astype(np.uint8)


def draw_sensor(rng: np.random.Generator, modality: Modality) -> Sensor:
    """Draw a sensor of visible or of near infrared light."""
    gain, gamma = float(rng.uniform(0.72, 1.25)), float(rng.uniform(0.75, 1.35))
    haze = float(rng.uniform(0.0, 0.09))
    if modality is Modality.VISIBLE:
        # a wrong white balance: warm or cold, and a little green or magenta
        warm, green = float(rng.uniform(-0.16, 0.16)), float(rng.uniform(-0.05, 0.06))
        tone = np.stack([_tone(gain * c, gamma, haze) for c in (1 + warm, 1 + green, 1 - warm)])
        noise, glow = int(rng.integers(2, 6)), 256
    else:
        tone = _tone(float(rng.uniform(0.80, 1.25)), gamma, haze)[None]
        noise, glow = int(rng.integers(3, 8)), int(rng.integers(160, 240))
    return Sensor(
        modality=modality,
        tone=tone,
        height=4 * int(rng.integers(22, 33)),
        noise=noise,
        blur=float(rng.integers(0, 6)) / 10,
        glow=glow,
        quality=int(rng.integers(62, 93)),
        light=float(rng.uniform(-1.0, 1.0)) if modality is Modality.VISIBLE else 0.0,
    )
