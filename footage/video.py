"""Pictures of a video file or of a folder of images, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..datasets.folder_scan import SUFFIXES, natural_order
from .errors import FootageError, need_video

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Picture:
    """A frame of a video.

    Attributes:
        frame: its number, from 0.
        seconds: since the first frame.
        pixels: [H, W, 3] uint8 (RGB), or [H, W] uint16 of a sensor with more than 8 bits.
    """

    frame: int
    seconds: float
    pixels: Pixels


class Video(Protocol):
    """A file or folder that pictures come from.

    Attributes:
        path: where it lies.
        rate: frames a second.
        frames: how many there are, as its header or a count says.
    """

    path: Path
    rate: float
    frames: int

    def pictures(self, wanted: Callable[[int], bool]) -> Iterator[Picture]:
        """The wanted frames in order, each made when it is asked for and none kept.

        Args:
            wanted: whether a frame, by its number, is.

        Raises:
            FootageError: the video breaks off.
        """


def open_video(path: Path, rate: float | None = None) -> Video:
    """A video file, or a folder of images in natural order.

    Args:
        path: file or folder.
        rate: frames a second; needed for a folder. A file has its own.

    Raises:
        FootageError: there is no such file, it is no video, a package is missing, or the rate is
            missing or is not the video's.
    """
    if path.is_dir():
        return ImageSequence(path, rate)
    if not path.is_file():
        raise FootageError(f"{path} does not exist; give a video file or a folder of images")
    video = VideoFile(path)
    if rate is not None and abs(rate / video.rate - 1) > 0.01:
        raise FootageError(
            f"{path} has {video.rate:g} frames a second by its header, and --frame-rate says "
            f"{rate:g}. Leave --frame-rate out: it is for folders of images"
        )
    return video


class VideoFile:
    """A video that FFmpeg's libraries decode; a :class:`Video`.

    Args:
        path: the file.

    Raises:
        FootageError: PyAV is missing, or the file is no video.
    """

    def __init__(self, path: Path) -> None:
        need_video()
        self.path = path
        with self._opened() as container:
            stream = container.streams.video[0]
            self.rate = float(stream.average_rate or stream.guessed_rate or 0)
            self.frames = stream.frames
            if not self.frames:  # the header of this kind of file does not tell
                self.frames = sum(1 for packet in container.demux(stream) if packet.size)
        if not self.rate or not self.frames:
            raise FootageError(f"{path} holds no pictures; is it whole?")

    def _opened(self) -> Any:
        import av

        try:
            container = av.open(str(self.path))
        except (av.error.FFmpegError, OSError) as error:
            raise FootageError(
                f"{self.path} cannot be read as a video ({error.strerror}). Was it copied whole?"
            ) from error
        if not container.streams.video:
            container.close()
            raise FootageError(f"{self.path} holds no video")
        return container

    def pictures(self, wanted: Callable[[int], bool]) -> Iterator[Picture]:
        """See :class:`Video`."""
        import av

        number, first = -1, None
        with self._opened() as container:
            stream = container.streams.video[0]
            try:
                for number, decoded in enumerate(container.decode(stream)):
                    time = decoded.time
                    first = time if first is None else first
                    if wanted(number):
                        told = time is not None and first is not None
                        seconds = time - first if told else number / self.rate
                        yield Picture(number, seconds, _pixels(decoded))
            except av.error.FFmpegError as error:
                raise FootageError(
                    f"{self.path} breaks off after frame {number + 1} of {self.frames} "
                    f"({error.strerror}). Copy or repair it; what was cropped before is kept"
                ) from error


def _pixels(decoded: Any) -> Pixels:
    """RGB of a decoded frame, or its values where it is grey with more than 8 bits."""
    components = decoded.format.components
    if len(components) == 1 and components[0].bits > 8:
        native = "gray16le" if components[0].bits == 16 else None
        pixels = decoded.to_ndarray(format=native)
    else:
        pixels = decoded.to_ndarray(format="rgb24")
    turns = round(getattr(decoded, "rotation", 0) / 90) % 4  # a camera that lay on its side
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


class ImageSequence:
    """A folder of images, each a frame; a :class:`Video`.

    Args:
        path: the folder.
        rate: frames a second.

    Raises:
        FootageError: there is no image, or the rate is missing.
    """

    def __init__(self, path: Path, rate: float | None) -> None:
        self.path = path
        files = (file for file in path.iterdir() if not file.name.startswith("."))
        self.files = sorted((f for f in files if f.suffix.lower() in SUFFIXES), key=natural_order)
        self.frames = len(self.files)
        if not self.files:
            raise FootageError(f"{path} holds no images; give a folder of frames, or a video file")
        if rate is None:
            raise FootageError(
                f"{path} is a folder of {self.frames} images, which do not say how fast they were "
                "taken. Give --frame-rate, frames a second"
            )
        self.rate = rate

    def pictures(self, wanted: Callable[[int], bool]) -> Iterator[Picture]:
        """See :class:`Video`."""
        for number, file in enumerate(self.files):
            if wanted(number):
                yield Picture(number, number / self.rate, _read_image(file))


def _read_image(file: Path) -> Pixels:
    try:
        with Image.open(file) as image:
            if image.mode in ("I", "F") or image.mode.startswith("I;16"):
                values = np.asarray(image)
                if values.min() < 0 or values.max() > 65535:
                    raise ValueError("its values do not fit into 16 bits")
                return values.astype(np.uint16)
            return np.asarray(image.convert("RGB"))
    # Pillow's decoders report damage by more kinds of exceptions than they name.
    except Exception as error:
        raise FootageError(
            f"{file} cannot be read as an image ({error}). Copy it again; what was cropped before "
            "is kept"
        ) from error
