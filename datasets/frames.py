"""Decoding of single frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


class UnreadableFrame(Exception):
    """One file that is missing or is not an image; the text is the reason."""


def decode_frame(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """Reads an image file as RGB and resizes it (bilinear, as Pillow does with antialiasing).

    Args:
        path: image file.
        height: rows of the result.
        width: columns of the result.

    Returns:
        Pixels, [height, width, 3], uint8.

    Raises:
        UnreadableFrame: if the file is missing, cut off, or no image.
    """
    try:
        with Image.open(path) as image:
            frame = image.convert("RGB")
            if frame.size != (width, height):
                frame = frame.resize((width, height), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise UnreadableFrame("the file does not exist") from None
    # Pillow's decoders report damage by all of these.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnreadableFrame(" ".join(str(error).split()) or type(error).__name__) from None
    return np.asarray(frame)
