"""Damages of pictures: other kinds, sizes that are not true, sizes that fill the memory."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from .bad_input_damages import replace


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def picture(path: Path, rng: random.Random, strangers: Path) -> None:
    """Another kind, size or mode of picture; sizes that are not true."""
    kind = rng.randrange(12)
    image = Image.new("RGB", (16, 32), (200, 10, 90))
    whole = io.BytesIO()
    if kind == 0:
        content = png_bomb(rng.choice((20000, 60000, 2**31 - 1)), rng.choice((20000, 2**31 - 1)))
    elif kind == 1:
        content = _jpeg_of_size(
            path, rng.choice(((65535, 65535), (0, 0), (1, 65535), (8000, 8000)))
        )
    elif kind == 2:
        image.resize((1, 1)).save(whole, "PNG")
        content = whole.getvalue()
    elif kind == 3:
        image.convert("CMYK").save(whole, "JPEG")
        content = whole.getvalue()
    elif kind == 4:
        Image.fromarray(np.full((9, 7), 60000, np.uint16)).save(whole, "PNG")
        content = whole.getvalue()
    elif kind == 5:
        image.save(whole, "GIF", save_all=True, append_images=[image] * 3)
        content = whole.getvalue()
    elif kind == 6:
        image.convert("RGBA").save(whole, "TIFF")
        content = whole.getvalue()
    elif kind == 7:
        content = b"BM" + struct.pack(
            "<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 2**30, 2**30, 1, 24, *[0] * 6
        )
    elif kind == 8:
        image.resize((3000, 1)).save(whole, "PNG")
        content = whole.getvalue()
    elif kind == 9:
        content = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    elif kind == 10:
        content = path.read_bytes()[:-2]
    else:
        content = path.read_bytes() + b"<?php system('x'); ?>" * 100
    replace(path, content)


def _jpeg_of_size(path: Path, size: tuple[int, int]) -> bytes:
    """The JPEG with another height and width in its header."""
    content = bytearray(path.read_bytes())
    if content[:2] != b"\xff\xd8":
        whole = io.BytesIO()
        Image.new("RGB", (8, 8)).save(whole, "JPEG")
        content = bytearray(whole.getvalue())
    place = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
    content[place + 5 : place + 9] = struct.pack(">HH", *size)
    return bytes(content)
