"""The file that holds the resized frames of one track."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..files import write_whole
from ..reading import check_regular, parse_json

# Pixels first, so that they are aligned when mapped; then JSON; then its length and this.
MAGIC = b"vireidF1"
TAIL = 8 + len(MAGIC)

Pixels = NDArray[np.uint8]


class BadShard(Exception):
    """A shard that is missing, cut off or damaged."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


@dataclass(frozen=True)
class Shard:
    """Frames of a track, mapped into memory.

    Attributes:
        path: the file.
        pixels: [n, height, width, 3], uint8.
        decoder: what decoded them.
        stamps: size, times and number of each image file when it was read; None where a file was
            so new that it might have changed again unseen.
        digests: of each image file's bytes, hexadecimal.
        checksums: of each frame's pixels.
    """

    path: Path
    pixels: Pixels
    decoder: str
    stamps: list[list[int] | None]
    digests: list[str]
    checksums: list[int]

    def is_whole(self, position: int) -> bool:
        """Whether a frame's pixels are those that were written."""
        return checksum(self.pixels[position]) == self.checksums[position]

    def copy(self, positions: Sequence[int], target: Pixels) -> None:
        """Copies the frames at k positions to the target, [k, height, width, 3], uint8.

        Raises:
            BadShard: if pixels are not what was written.
        """
        for row, position in zip(target, positions, strict=True):
            row[...] = self.pixels[position]
            if checksum(row) != self.checksums[position]:
                raise BadShard(self.path, f"frame {position} is damaged")


def checksum(pixels: Pixels) -> int:
    """Sum of a C-contiguous frame as 64-bit words, 40 times as fast as a CRC.

    It sees any one changed word.
    """
    flat = pixels.reshape(-1)
    whole = flat.size // 8 * 8
    words = int(np.add.reduce(flat[:whole].view(np.uint64), dtype=np.uint64)) if whole else 0
    return (words + int.from_bytes(flat[whole:].tobytes(), "little")) % (1 << 64)


def open_shard(path: Path) -> Shard:
    """Maps a shard and reads what is written about its frames.

    Raises:
        BadShard: if there is no whole shard.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < TAIL:
                raise BadShard(path, "cut off")
            file.seek(size - TAIL)
            tail = file.read(TAIL)
            length = int.from_bytes(tail[:8], "little")
            if tail[8:] != MAGIC or length > size - TAIL:
                raise BadShard(path, "cut off")
            file.seek(size - TAIL - length)
            about = parse_json(file.read(length))
            shape = tuple(int(n) for n in about["shape"])
            if int(np.prod(shape)) + length + TAIL != size:
                raise BadShard(path, "cut off")
            # A plain view: slices of a memmap object cost more than the copy of a frame.
            pixels = np.asarray(np.memmap(file, np.uint8, mode="r", shape=shape))
        parts = (about["stamps"], about["digests"], about["checksums"])
        if any(len(part) != shape[0] for part in parts):
            raise BadShard(path, "its parts contradict each other")
        return Shard(path, pixels, about["decoder"], *parts)
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadShard(path, str(error)) from None


def write_shard(
    path: Path,
    pixels: Pixels,
    decoder: str,
    stamps: Sequence[list[int] | None],
    digests: Sequence[str],
) -> None:
    """Writes a shard beside its place and moves it there.

    Args:
        path: the file.
        pixels: [n, height, width, 3], uint8, C-contiguous.
        decoder, stamps, digests: see `Shard`.

    Raises:
        OSError: if it cannot be written; nothing is left beside.
    """
    about = {
        "shape": pixels.shape,
        "decoder": decoder,
        "stamps": list(stamps),
        "digests": list(digests),
        "checksums": [checksum(frame) for frame in pixels],
    }
    text = json.dumps(about, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(beside: Path) -> None:
        with beside.open("wb") as file:
            file.write(pixels.data)
            file.write(text + len(text).to_bytes(8, "little") + MAGIC)

    write_whole(path, write, shared=True)
