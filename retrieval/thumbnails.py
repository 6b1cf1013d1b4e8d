"""Small pictures of a tracklet, kept in the index."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from PIL import ImageFilter

from ..datasets.track import Track
from ..reporting.film_strip import MOST_FRAMES, film_image

QUALITY = 72
BLUR = 4  # radius in pixels of a tile 40 wide: clothes stay a colour, a face is none


def thumbnail(track: Track, *, blurred: bool = False) -> bytes:
    """A strip of evenly spaced frames.

    Args:
        track: its frames are read.
        blurred: so far that a face, a print or a gait is not to be seen.

    Returns:
        A JPEG without any metadata; empty where no frame can be read.
    """
    last = len(track.frames) - 1
    picked = np.linspace(0, last, min(MOST_FRAMES, last + 1)).round().astype(int)
    strip = film_image(dataclasses.replace(track, frames=tuple(track.frames[i] for i in picked)))
    if strip is None:
        return b""
    if blurred:
        strip = strip.filter(ImageFilter.GaussianBlur(BLUR))
    buffer = io.BytesIO()
    strip.save(buffer, "jpeg", quality=QUALITY)
    return buffer.getvalue()
