"""Decoding of single frames."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import SHORTAGES
from ..reading import read_bytes
from .resize import Filter, resize_frame

JPEG_START, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
# Markers of baseline and progressive Huffman frames; 0xC3 and above 0xC4 are rarities.
FRAME_HEADERS = frozenset((0xC0, 0xC1, 0xC2))
# Anything larger is refused before its pixels are unpacked.
LARGEST_PICTURE = 1 << 26  # pixels
LARGEST_FILE = 1 << 28  # bytes of a picture
RGB = 3  # torchvision's number for it
# Counted up when the same files would give other pixels.
PIPELINE = 1


class UnreadableFrame(Exception):
    """One file that is missing or is not an image; the text is the reason."""


def decoder_version(resize: Filter = "bilinear") -> str:
    """Names what decides the pixels of a file beside the file itself."""
    names = ("pillow", "torchvision")
    filters = [] if resize == "bilinear" else [resize]
    versions = (f"{name} {_version(name)}" for name in names)
    return " ".join([f"pipeline {PIPELINE}", *versions, *filters])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def read_frame(path: Path) -> bytes:
    """Bytes of an image file.

    Raises:
        UnreadableFrame: if the file is missing or cannot be read.
        OSError: if the machine is short of something: nothing is wrong with the file then, and
            --skip-corrupt must not leave it out.
    """
    try:
        return read_bytes(path, LARGEST_FILE)
    except FileNotFoundError:
        raise UnreadableFrame("the file does not exist") from None
    except OSError as error:
        if error.errno in SHORTAGES:
            raise
        raise UnreadableFrame(error.strerror or _reason(error)) from None


def decode_frame(
    path: Path, height: int, width: int, resize: Filter = "bilinear"
) -> NDArray[np.uint8]:
    """Reads an image file as RGB, greyscale ones too, and resizes it as Pillow does.

    Args:
        path: image file.
        height, width: of the result, pixels.
        resize: filter; see `resize_frame`.

    Returns:
        Pixels, [height, width, 3], uint8.

    Raises:
        UnreadableFrame: if the file is missing, cut off, or no image.
    """
    return decode_bytes(read_frame(path), height, width, resize)


def decode_bytes(
    data: bytes, height: int, width: int, resize: Filter = "bilinear"
) -> NDArray[np.uint8]:
    """As `decode_frame`, from the content of the file."""
    pixels = _decode_plain_jpeg(data)
    return resize_frame(_decode_any(data) if pixels is None else pixels, height, width, resize)


def decode_whole(path: Path) -> NDArray[np.uint8]:
    """Reads an image file as RGB in the size that it has.

    Returns:
        Pixels, [height, width, 3], uint8.

    Raises:
        UnreadableFrame: if the file is missing, cut off, or no image.
    """
    return _decode_any(read_frame(path))


def _decode_any(data: bytes) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if not 0 < width * height <= LARGEST_PICTURE:
                raise UnreadableFrame(f"it claims a size of {width} x {height} pixels")
            return np.asarray(image.convert("RGB"))
    except UnreadableFrame:
        raise
    # Pillow's decoders report damage by more kinds of exceptions than they name.
    except Exception as error:
        raise UnreadableFrame(_reason(error)) from None


def _decode_plain_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """The pixels of a grey or three-channel JPEG, or None where Pillow has to look.

    Both libraries call libjpeg-turbo and give the same pixels. torchvision's way has less around
    it, but fills up files that were cut off instead of reporting them; hence the look at the end.
    """
    if not (data.startswith(JPEG_START) and data.endswith(JPEG_END)):
        return None
    size = _jpeg_size(data)
    decode = _jpeg_decoder()
    if decode is None or size is None or not 0 < size[0] * size[1] <= LARGEST_PICTURE:
        return None
    try:
        pixels = decode(torch.from_numpy(np.frombuffer(bytearray(data), np.uint8)))
    except RuntimeError:
        return None
    return np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width out of the header; None unless it is 8 bits deep with 1 or 3 channels."""
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker in FRAME_HEADERS:
            depth, channels = data[place + 4], data[place + 9]
            if depth != 8 or channels not in (1, 3):
                return None
            height = int.from_bytes(data[place + 5 : place + 7], "big")
            return height, int.from_bytes(data[place + 7 : place + 9], "big")
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None


@cache
def _jpeg_decoder() -> Callable[[torch.Tensor], torch.Tensor] | None:
    """torchvision's decoder to RGB; None where torchvision was built without one."""
    # Importing torchvision takes longer than reading a small set, so only who decodes does it.
    # The Python functions around its decoders are deprecated, so the operator itself is called;
    # once it is gone, Pillow decodes.
    try:
        import torchvision.io.image  # noqa: F401 - registers the operator
    except ImportError:
        return None
    if not hasattr(torch.ops.image, "decode_jpeg"):
        return None
    return lambda data: torch.ops.image.decode_jpeg(data, RGB, False)


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):  # whose text is an address in memory
        return "it is no picture of a kind that can be read"
    return " ".join(str(error).split()) or type(error).__name__
