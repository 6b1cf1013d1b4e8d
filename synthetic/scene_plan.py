"""Who walks past which camera of a scene, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..datasets.track import Modality
from ..options import Options, option
from .streams import Stream, stream


@dataclass(frozen=True, kw_only=True)
class SceneOptions(Options):
    """Length of the scene that --video renders, and who is in it."""

    heading: ClassVar[str] = "Length and people"

    minutes: float = option("length of the scene that --video renders", 3.0, above=0, at_most=600)
    people: int | None = option(
        "people who walk through a scene (unset: 20 a minute), or whom a data set has to train on "
        "(unset: as the preset says)",
        None,
        at_least=1,
        at_most=100_000,
    )


@dataclass(frozen=True, slots=True)
class SceneCamera:
    """A camera of the scene.

    Attributes:
        name: as folders and flags call it.
        number: fixes its view and its sensor.
        modality: visible, or infrared as 16-bit thermal.
        place: which of its kind it is; decides the viewing angle.
        width, height: of its pictures, pixels.
        rate: frames a second.
        file: its video below the scene's folder; without an ending, a folder of images.
    """

    name: str
    number: int
    modality: Modality
    place: int
    width: int
    height: int
    rate: int
    file: str


CAMERAS = (
    SceneCamera("cam1", 1, Modality.VISIBLE, 1, 320, 192, 5, "cam1.mp4"),
    SceneCamera("cam2", 2, Modality.VISIBLE, 0, 320, 192, 5, "cam2.mp4"),
    SceneCamera("cam3", 3, Modality.INFRARED, 1, 240, 144, 5, "cam3.mkv"),
    SceneCamera("cam4", 4, Modality.INFRARED, 0, 240, 144, 4, "cam4"),
)
_PEOPLE_A_MINUTE = 20
_SHORTEST, _LONGEST = 6.0, 9.0  # seconds of a walk through a picture
FASTEST, _SLOWEST = 5.0, 25.0  # seconds from one camera to the next


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way through the picture of one camera.

    Attributes:
        person: number of the person.
        camera: index into `CAMERAS`.
        begin, end: seconds since the scene began.
        lane: how near to the camera, 0 to 1.
        way: 1 to the right, -1 to the left.
        stride: where in the stride the walk begins, 0 to 1.
    """

    person: int
    camera: int
    begin: float
    end: float
    lane: float
    way: int
    stride: float


def plan_scene(options: SceneOptions, seed: int) -> list[Walk]:
    """All walks of a scene; each person goes from camera to camera in an order of their own.

    Args:
        options: length and number of people.
        seed: any number from 0.

    Returns:
        By person, then by time. A person's walks never overlap, and nobody is in two pictures at
        once; people who come late are seen by fewer cameras.
    """
    length = 60 * options.minutes
    people = options.people or max(1, round(_PEOPLE_A_MINUTE * options.minutes))
    walks = []
    for person in range(1, people + 1):
        rng = stream(seed, Stream.ITINERARY, person)
        time = float(rng.uniform(0, max(length - 2 * _LONGEST, 0)))
        for camera in rng.permutation(len(CAMERAS)).tolist():
            end = time + float(rng.uniform(_SHORTEST, _LONGEST))
            lane, stride = (float(value) for value in rng.random(2))
            way = 1 if rng.random() < 0.5 else -1
            if end > length:
                break
            walks.append(Walk(person, camera, time, end, lane, way, stride))
            time = end + float(rng.uniform(FASTEST, _SLOWEST))
    return walks
