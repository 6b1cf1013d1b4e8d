"""Clips of tracks as tensors: decoding, the caches, frame choice."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..random_streams import Draw, numpy_generator
from .errors import CorruptFrames, DatasetError
from .frame_cache import FrameCache, default_cache_dir
from .frame_choice import Positions, evenly_spaced_frames, random_frames
from .frames import UnreadableFrame, decode_frame
from .resize import Filter
from .track import Track

GIB = 1 << 30
Cache = Literal["memory", "disk", "none"]


class ClipReader:
    """Gives clips of tracks as 8-bit tensors.

    Clips are [B, T, 3, H, W] views of memory that lies as [B, T, H, W, 3], which is the
    channels-last format once frames are folded into the batch. An unreadable frame stops the run
    unless `skip_corrupt` is set; then it is left out of its track. With a cache this happens
    before frames are chosen; without, a clip takes the nearest readable frame of its track.
    The pixels are the same with every cache and with none.

    Attributes:
        tracks: the tracks that indices refer to.
        height: rows of a frame.
        width: columns of a frame.
        num_frames: frames T of a clip.
        resize: filter with which frames are resized.
        corrupt: unreadable frames met so far.
        lost: indices of tracks without any readable frame; known at once only with a cache.
            Reading such a track raises `CorruptFrames`; `leave_out_lost` takes them out.
        disk: the cache on disk, or None.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        *,
        height: int,
        width: int,
        num_frames: int,
        cache: Cache = "memory",
        cache_dir: Path | None = None,
        skip_corrupt: bool = False,
        workers: int | None = None,
        cache_limit: int = 16 * GIB,
        resize: Filter = "bilinear",
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Prepares reading; with a cache, decodes every frame that is not in it yet.

        Args:
            tracks: tracks to read.
            height: rows of a frame, pixels.
            width: columns of a frame, pixels.
            num_frames: frames T of a clip.
            cache: "memory" keeps all resized frames; "disk" keeps them in files, for this and
                later readers; "none" decodes when asked.
            cache_dir: where the cache on disk lies; None takes the user's cache folder.
            skip_corrupt: leave unreadable frames out instead of stopping.
            workers: decoding threads; None takes one for each core, at most 8.
            cache_limit: largest cache in memory, in bytes.
            resize: filter with which frames are resized; see `resize_frame`.
            progress: called with the number of frames done while the cache is filled.

        Raises:
            ValueError: if sizes are below 1, `cache` is unknown, or a track has no frames.
            DatasetError: if the cache would be larger than `cache_limit`, or the disk cannot hold
                it.
            CorruptFrames: if frames are unreadable and `skip_corrupt` is off.
        """
        if min(height, width, num_frames) < 1:
            raise ValueError(
                "height, width and num_frames are at least 1; "
                f"got {height}, {width} and {num_frames}"
            )
        if cache not in ("memory", "disk", "none"):
            raise ValueError(f'cache is "memory", "disk" or "none"; got {cache!r}')
        empty = [track.key for track in tracks if not track.frames]
        if empty:
            raise ValueError(f"{len(empty)} tracks have no frames, the first is {empty[0]}")
        self.tracks = tuple(tracks)
        self.height = height
        self.width = width
        self.num_frames = num_frames
        self.resize = resize
        self.skip_corrupt = skip_corrupt
        self.workers = workers if workers is not None else min(8, os.cpu_count() or 1)
        self.corrupt: list[Path] = []
        self.lost: tuple[int, ...] = ()
        self._lengths = np.array([len(track.frames) for track in tracks], dtype=np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._cache: Tensor | None = None
        self.disk: FrameCache | None = None
        if cache == "memory":
            self._fill_cache(cache_limit, progress)
        elif cache == "disk":
            folder = cache_dir if cache_dir is not None else default_cache_dir()
            self.disk = FrameCache(folder, height, width, self.workers, resize=resize)
            self._fill_disk(self.disk, progress)

    def __len__(self) -> int:
        """Number of tracks."""
        return len(self.tracks)

    def leave_out_lost(self) -> list[int]:
        """Takes the tracks without any readable frame out; the others move up.

        Without a cache, frames of every track are decoded until one is readable.

        Returns:
            Indices, ascending, that the tracks taken out had before.
        """
        lost = list(self.lost)
        if self._cache is None and self.disk is None:
            with ThreadPoolExecutor(self.workers) as pool:
                readable = pool.map(self._has_readable_frame, range(len(self.tracks)))
                lost = [i for i, found in enumerate(readable) if not found]
        keep = np.ones(len(self.tracks), dtype=bool)
        keep[lost] = False
        self.tracks = tuple(track for track, kept in zip(self.tracks, keep) if kept)
        self._lengths, self._starts = self._lengths[keep], self._starts[keep]
        self.lost = ()
        return lost

    def train_clips(
        self,
        indices: Sequence[int],
        seed: Sequence[int],
        num_frames: int | None = None,
        part: slice = slice(None),
    ) -> Tensor:
        """One random clip of each track: a random frame of each of its T segments.

        Args:
            indices: tracks, length B; a track may occur more than once.
            seed: non-negative integers. The draw of entry i depends on them and on i only.
            num_frames: frames T of these clips; None takes the reader's.
            part: entries that are wanted; their draws are those that they have in the whole.

        Returns:
            Pixels, [B, T, 3, H, W], uint8, of the part.
        """
        rows = self._checked(indices)
        generator = numpy_generator(Draw.CLIPS, *seed)
        length = num_frames or self.num_frames
        frames = random_frames(self._lengths[rows], length, generator)
        return self._gather(rows[part], frames[part])

    def test_clips(self, indices: Sequence[int], num_frames: int | None = None) -> Tensor:
        """The evenly spaced clip of each track.

        Args:
            indices: tracks, length B.
            num_frames: frames T of these clips; None takes the reader's.

        Returns:
            Pixels, [B, T, 3, H, W], uint8.
        """
        rows = self._checked(indices)
        length = num_frames or self.num_frames
        frames = [evenly_spaced_frames(int(n), length) for n in self._lengths[rows]]
        return self._gather(rows, np.array(frames, dtype=np.int64).reshape(-1, length))

    def _checked(self, indices: Iterable[int]) -> Positions:
        rows = np.fromiter(indices, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self.tracks)):
            raise IndexError(
                f"track indices lie in 0…{len(self.tracks) - 1}; got {rows.min()}…{rows.max()}"
            )
        for row in rows[self._lengths[rows] == 0]:
            self._raise_lost(int(row))
        return rows

    def _gather(self, rows: Positions, frames: Positions) -> Tensor:
        shape = (*frames.shape, self.height, self.width, 3)
        if self._cache is not None:
            flat = torch.from_numpy((self._starts[rows][:, None] + frames).ravel())
            pixels = self._cache.index_select(0, flat)
        elif self.disk is not None:
            pixels = self._read_disk(self.disk, rows, frames)
        else:
            pixels = self._decode_choice(rows, frames)
        return pixels.view(shape).permute(0, 1, 4, 2, 3)

    def _decode_choice(self, rows: Positions, frames: Positions) -> Tensor:
        """Decodes the chosen frames, [B, T] positions, each file once."""
        wanted = [(int(row), int(f)) for row, line in zip(rows, frames) for f in line]
        places: dict[tuple[int, int], list[int]] = {}
        for place, item in enumerate(wanted):
            places.setdefault(item, []).append(place)
        pixels = np.empty((len(wanted), self.height, self.width, 3), np.uint8)

        def fill(item: tuple[int, int]) -> None:
            frame = self._decode_near(item)
            for place in places[item]:
                pixels[place] = frame

        if self.workers > 1 and len(places) > 1:
            with ThreadPoolExecutor(self.workers) as pool:
                list(pool.map(fill, sorted(places)))
        else:
            for item in sorted(places):
                fill(item)
        return torch.from_numpy(pixels)

    def _read_disk(self, disk: FrameCache, rows: Positions, frames: Positions) -> Tensor:
        """Copies the chosen frames, [B, T] positions, out of the cache on disk."""
        pixels = np.empty((*frames.shape, self.height, self.width, 3), np.uint8)
        for clip, row, line in zip(pixels, rows, frames):
            disk.read(self.tracks[row].frames, line.tolist(), clip)
        return torch.from_numpy(pixels)

    def _decode_near(self, item: tuple[int, int]) -> np.ndarray:
        """The frame, or with `skip_corrupt` the nearest readable one (the earlier of two)."""
        row, frame = item
        paths = self.tracks[row].frames
        order = sorted(range(len(paths)), key=lambda i: (abs(i - frame), i))
        failures: list[tuple[Path, str]] = []
        for i in order if self.skip_corrupt else order[:1]:
            try:
                return decode_frame(paths[i], self.height, self.width, self.resize)
            except UnreadableFrame as error:
                failures.append((paths[i], str(error)))
                if paths[i] not in self.corrupt:
                    self.corrupt.append(paths[i])
        if self.skip_corrupt:
            self._raise_lost(row)
        raise CorruptFrames(failures, f"Reading stopped there; more may follow. {_ADVICE}")

    def _has_readable_frame(self, row: int) -> bool:
        try:
            self._decode_near((row, 0))
        except CorruptFrames:
            return False
        return True

    def _raise_lost(self, row: int) -> None:
        track = self.tracks[row]
        raise CorruptFrames(
            [(path, "unreadable") for path in track.frames],
            f"Track {track.key} has no readable frame left; restore its files or leave it out.",
        )

    def _fill_cache(self, limit: int, progress: Callable[[int], object] | None) -> None:
        paths = [path for track in self.tracks for path in track.frames]
        needed = len(paths) * self.height * self.width * 3
        if needed > limit:
            raise DatasetError(
                f"{len(paths)} frames of {self.height}x{self.width} need a cache of "
                f"{needed / GIB:.2f} GiB, the limit is {limit / GIB:.2f} GiB; "
                'raise the limit or read without a cache (cache="none")'
            )
        pixels = np.empty((len(paths), self.height, self.width, 3), dtype=np.uint8)

        def fill(i: int) -> str | None:
            try:
                pixels[i] = decode_frame(paths[i], self.height, self.width, self.resize)
            except UnreadableFrame as error:
                return str(error)
            return None

        failures: dict[int, str] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            for i, reason in enumerate(pool.map(fill, range(len(paths)))):
                if reason is not None:
                    failures[i] = reason
                if progress is not None:
                    progress(1)
        if failures and not self.skip_corrupt:
            raise CorruptFrames([(paths[i], reason) for i, reason in failures.items()], _ADVICE)
        self._cache = torch.from_numpy(pixels)
        if failures:
            self._drop(paths, failures)

    def _fill_disk(self, disk: FrameCache, progress: Callable[[int], object] | None) -> None:
        failures = disk.prepare([track.frames for track in self.tracks], progress)
        if not failures:
            return
        corrupt = [self.tracks[i].frames[j] for i, j in failures]
        if not self.skip_corrupt:
            raise CorruptFrames(list(zip(corrupt, failures.values())), _ADVICE)
        # A track with gaps is cached as a track of the frames that it has left.
        left: dict[int, Track] = {}
        for i in {i for i, _ in failures}:
            frames = [
                path for j, path in enumerate(self.tracks[i].frames) if (i, j) not in failures
            ]
            self._lengths[i] = len(frames)
            if frames:
                left[i] = dataclasses.replace(self.tracks[i], frames=tuple(frames))
        disk.add([track.frames for track in left.values()])
        self.tracks = tuple(left.get(i, track) for i, track in enumerate(self.tracks))
        self.corrupt = corrupt
        self.lost = tuple(int(i) for i in np.flatnonzero(self._lengths == 0))

    def _drop(self, paths: Sequence[Path], failures: Iterable[int]) -> None:
        """Takes unreadable frames out of the cache and out of the tracks' lengths."""
        assert self._cache is not None
        keep = np.ones(len(paths), dtype=bool)
        keep[list(failures)] = False
        owner = np.repeat(np.arange(len(self.tracks)), self._lengths)
        self._lengths = np.bincount(owner[keep], minlength=len(self.tracks)).astype(np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._cache = self._cache[torch.from_numpy(keep)]
        self.corrupt = [paths[i] for i in sorted(failures)]
        self.lost = tuple(int(i) for i in np.flatnonzero(self._lengths == 0))


_ADVICE = (
    "Restore the files from the original archive, or go on without them with skip_corrupt=True "
    "(--skip-corrupt)."
)
