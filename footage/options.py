"""How footage is read, and which crops of a track are worth keeping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class CropOptions(Options):
    """What is left out of a track; each number is a rule, and one value of it switches it off."""

    heading: ClassVar[str] = "Crops"

    min_frames: int = option(
        "crops that a tracklet needs after the other rules; 1 keeps all", 8, at_least=1
    )
    min_height: float = option("pixels that a box is high; 0 keeps all", 32.0, at_least=0)
    min_sharpness: float = option(
        "variance of the Laplacian relative to that of the crop's grey values; 0 keeps all",
        0.02,
        at_least=0,
    )
    border: float = option(
        "a box nearer than this to the picture's edge, pixels, is cut; 0 keeps all",
        2.0,
        at_least=0,
    )
    max_overlap: float = option(
        "share of a box that a nearer one may cover; 1 keeps all", 0.4, at_least=0, at_most=1
    )
    min_confidence: float = option(
        "confidence that a tracker gave a box; 0 keeps all", 0.0, at_least=0
    )
    every: float = option(
        "seconds between two crops of a track; 0 takes every frame", 0.0, at_least=0
    )
    window: float = option(
        "per cent of a 16-bit tracklet's pixels that may be clipped at each end",
        0.1,
        at_least=0,
        below=50,
    )


@dataclass(frozen=True, kw_only=True)
class FootageOptions(Options):
    """How a video and its tracks are read."""

    heading: ClassVar[str] = "Footage"

    tracks_format: Literal["mot", "cvat", "coco", "csv"] | None = option(
        "format of the tracks; unset: by content", None
    )
    first_frame: int | None = option(
        "number of the first frame in the tracks; unset: by format", None, at_least=0
    )
    label: str | None = option("label that is tracked; unset: the one for people", None)
    tracks_rate: float | None = option(
        "frames a second that the tracks count; unset: those of the video", None, above=0
    )
    frame_rate: float | None = option("frames a second of a folder of images", None, above=0)
    any_colour: bool = option("take visible video without colours, infrared with colours", False)
    allow_incomplete: bool = option("take what there is of tracks that the video cuts off", False)
