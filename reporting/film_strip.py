"""A track as a strip of small frames, ready to be put into a page."""

from __future__ import annotations

import base64
import dataclasses
import io
from typing import Any

from PIL import Image, ImageOps

from ..datasets.frames import UnreadableFrame, decode_whole
from ..datasets.track import Track

TILE = (40, 80)  # width and height of a frame in pixels
MOST_FRAMES, QUALITY = 6, 72
MARGIN = (225, 229, 236)


def film_image(track: Track) -> Image.Image | None:
    """The first frames side by side, RGB, a ``TILE`` each; None if no frame can be read."""
    tiles = []
    for path in track.frames[:MOST_FRAMES]:
        try:
            image = Image.fromarray(decode_whole(path))
        except UnreadableFrame:
            continue
        # Padded, not cut: narrow boxes would lose head and feet.
        tiles.append(ImageOps.pad(image, TILE, color=MARGIN))
    if not tiles:
        return None
    strip = Image.new("RGB", (TILE[0] * len(tiles), TILE[1]))
    for number, tile in enumerate(tiles):
        strip.paste(tile, (number * TILE[0], 0))
    return strip


def film_strip(track: Track) -> str | None:
    """The same as a JPEG data address."""
    strip = film_image(track)
    return None if strip is None else data_address(strip, "jpeg", quality=QUALITY)


def data_address(image: Image.Image, kind: str, **options: Any) -> str:
    """A picture as an address that holds it; ``options`` are those of Pillow for the kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def middle_frame(track: Track) -> Track:
    """The track with the middle one of its frames alone."""
    middle = len(track.frames) // 2
    return dataclasses.replace(track, frames=track.frames[middle : middle + 1])
