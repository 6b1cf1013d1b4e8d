"""Resized frames on disk: built by itself, checked on every use, shared by processes."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptFrames, DatasetError
from .frame_shard import BadShard, Shard, open_shard, write_shard
from .frames import UnreadableFrame, decode_bytes, decoder_version, read_frame
from .resize import Filter

GIB = 1 << 30
RESERVE = GIB  # what stays free on the disk
# A file that was touched this shortly before it was read may change again without a new time.
SETTLED_NS = 2_000_000_000
FORGOTTEN_S = 3600.0  # a shard is written in seconds; older left-overs belong to nobody
OPEN_SHARDS = 256
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota error

CHANGED = "The frames were readable before; restore them, or start again with --skip-corrupt."

Frames = tuple[Path, ...]
Pixels = NDArray[np.uint8]


def default_cache_dir() -> Path:
    """The folder for caches of the user: XDG_CACHE_HOME, or what the platform has instead."""
    home = os.environ.get("XDG_CACHE_HOME")
    if not home and sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA")
    return (Path(home) if home else Path.home() / ".cache") / "vireid" / "frames"


class FrameCache:
    """One file of resized frames, a shard, for each track.

    A shard holds, beside the pixels, the decoder's version and for every image file a digest of
    its bytes and its *stamp* (size, times of content and of status, file number). A shard is used
    while all stamps are those of the files. Otherwise the files are read again: frames whose
    digest is unchanged are kept, the others decoded. The status time cannot be set by programs, so
    a changed file is seen although somebody restored its size and modification time. Each frame
    carries a checksum that is compared whenever it is read; a damaged shard is built again.

    Shards are written beside and renamed, so an interrupted build goes on where it stopped, and
    several processes may build and read the same cache: each takes the tracks in another order and
    leaves out those that the others have finished.

    Attributes:
        folder: where shards lie.
        built: tracks whose shard was written or renewed by `prepare`.
        reused: tracks whose shard was there.
        size: bytes of these shards.
    """

    def __init__(
        self,
        folder: Path,
        height: int,
        width: int,
        workers: int = 1,
        reserve: int = RESERVE,
        resize: Filter = "bilinear",
    ) -> None:
        """Names the cache; nothing is read or written yet.

        Args:
            folder: where shards lie; made when the first is written.
            height, width: of a frame, pixels.
            workers: decoding threads.
            reserve: bytes that have to stay free on the disk.
            resize: filter of the frames; frames of another one lie apart.
        """
        self.folder = folder
        self.resize = resize
        self.height, self.width = height, width
        self.workers, self.reserve = workers, reserve
        self.built = self.reused = self.size = 0
        self._decoder = decoder_version(resize)
        self._open: dict[Path, Shard] = {}

    def __getstate__(self) -> dict[str, object]:
        # Mapped files do not travel to a worker process; it maps them itself.
        return {**self.__dict__, "_open": {}}

    def prepare(
        self, tracks: Sequence[Frames], progress: Callable[[int], object] | None = None
    ) -> dict[tuple[int, int], str]:
        """Brings the shards of tracks up to date.

        Args:
            tracks: the frames of each.
            progress: called with the number of frames that are ready.

        Returns:
            The reason for each unreadable frame, by track and position; such a track has no shard.

        Raises:
            DatasetError: if the folder cannot be written, or has too little space.
        """
        tell = progress if progress is not None else lambda number: None
        missing: list[int] = []
        with ThreadPoolExecutor(self.workers) as pool:
            for i, current in enumerate(pool.map(self._is_current, tracks)):
                if current:
                    self.reused += 1
                    self.size += self._bytes(tracks[i])
                    tell(len(tracks[i]))
                else:
                    missing.append(i)
        if not missing:
            return {}
        self._make_room([tracks[i] for i in missing])
        # Another order for each process, so that several share the work.
        random.Random(uuid.uuid4().int).shuffle(missing)
        failures: dict[tuple[int, int], str] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            found = pool.map(lambda i: self._build_once(tracks[i]), missing)
            for i, reasons in zip(missing, found):
                failures |= {(i, position): reason for position, reason in reasons.items()}
                if not reasons:
                    self.built += 1
                    self.size += self._bytes(tracks[i])
                tell(len(tracks[i]))
        return dict(sorted(failures.items()))

    def add(self, tracks: Sequence[Frames]) -> None:
        """Prepares more tracks, all of whose frames were readable a moment ago.

        Raises:
            DatasetError: as `prepare`.
            CorruptFrames: if a frame is unreadable now.
        """
        failures = self.prepare(tracks)
        if failures:
            raise CorruptFrames(
                [(tracks[i][j], reason) for (i, j), reason in failures.items()], CHANGED
            )

    def read(self, frames: Frames, positions: Sequence[int], target: Pixels) -> None:
        """Copies frames of one track out of its shard.

        Args:
            frames: the track.
            positions: which of them, k of them.
            target: where to, [k, height, width, 3], uint8.

        Raises:
            CorruptFrames: if the shard is gone or damaged, and an image file unreadable.
            DatasetError: if the shard cannot be written again.
        """
        path = self._path(frames)
        try:
            self._shard(path).copy(positions, target)
        except BadShard:
            self._open.pop(path, None)
            failures = [(frames[i], reason) for i, reason in self._build(frames).items()]
            if failures:
                raise CorruptFrames(failures, CHANGED) from None
            self._shard(path).copy(positions, target)

    def _shard(self, path: Path) -> Shard:
        shard = self._open.get(path)
        if shard is None:
            shard = open_shard(path)
            if shard.pixels.shape[1:] != (self.height, self.width, 3):
                raise BadShard(path, "frames of another size")
            while len(self._open) >= OPEN_SHARDS:
                # Threads may race for the same one.
                with contextlib.suppress(KeyError, RuntimeError, StopIteration):
                    del self._open[next(iter(self._open))]
            self._open[path] = shard
        return shard

    @property
    def _kind(self) -> str:
        """Size and filter of the frames, which name their folder."""
        size = f"{self.height}x{self.width}"
        return size if self.resize == "bilinear" else f"{size}-{self.resize}"

    def _path(self, frames: Frames) -> Path:
        kind = self._kind
        names = "\0".join([kind, *(str(frame.absolute()) for frame in frames)])
        name = blake2b(names.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        return self.folder / kind / name[:2] / f"{name[2:]}.frames"

    def _bytes(self, frames: Frames) -> int:
        return len(frames) * self.height * self.width * 3

    def _usable(self, frames: Frames) -> Shard | None:
        """The shard of a track if it is whole and of this decoder, whatever its stamps."""
        try:
            shard = open_shard(self._path(frames))
        except BadShard:
            return None
        wanted = (len(frames), self.height, self.width, 3)
        fits = shard.pixels.shape == wanted and shard.decoder == self._decoder
        return shard if fits else None

    def _is_current(self, frames: Frames) -> bool:
        shard = self._usable(frames)
        return shard is not None and all(
            old is not None and old == _stamp(frame) for old, frame in zip(shard.stamps, frames)
        )

    def _build_once(self, frames: Frames) -> dict[int, str]:
        """Builds a shard unless another process was faster."""
        return {} if self._is_current(frames) else self._build(frames)

    def _build(self, frames: Frames) -> dict[int, str]:
        """Writes a shard; gives the reasons of unreadable frames and then writes none."""
        old = self._usable(frames)
        pixels = np.empty((len(frames), self.height, self.width, 3), np.uint8)
        stamps: list[list[int] | None] = []
        digests: list[str] = []
        reasons: dict[int, str] = {}
        for i, frame in enumerate(frames):
            try:
                # Taken before reading: a change in between shows the next time.
                stamp, now = _stamp(frame), time.time_ns()
                data = read_frame(frame)
                digest = blake2b(data, digest_size=16).hexdigest()
                if old is None or old.digests[i] != digest or not old.is_whole(i):
                    pixels[i] = decode_bytes(data, self.height, self.width, self.resize)
                else:
                    pixels[i] = old.pixels[i]
            except UnreadableFrame as error:
                reasons[i] = str(error)
                continue
            settled = stamp is not None and now - max(stamp[1], stamp[2]) > SETTLED_NS
            stamps.append(stamp if settled else None)
            digests.append(digest)
        if not reasons:
            with self._writing():
                write_shard(self._path(frames), pixels, self._decoder, stamps, digests)
        return reasons

    def _make_room(self, tracks: Sequence[Frames]) -> None:
        """Refuses to start what the disk cannot hold; removes what killed builds left."""
        with self._writing():
            folder = self.folder / self._kind
            folder.mkdir(parents=True, exist_ok=True)
            for part in folder.glob("*/*.part"):
                with contextlib.suppress(OSError):
                    if time.time() - part.stat().st_mtime > FORGOTTEN_S:
                        part.unlink()
            free = shutil.disk_usage(folder).free
        # A shard that is replaced lies beside the new one for a moment only.
        needed = sum(self._bytes(track) for track in tracks if not self._path(track).exists())
        if needed + self.reserve > free:
            number = sum(map(len, tracks))
            raise DatasetError(
                f"{number} frames of {self.height}x{self.width} need {needed / GIB:.2f} GiB in the "
                f"frame cache {self.folder}; its disk has {free / GIB:.2f} GiB free, of which "
                f"{self.reserve / GIB:.2f} GiB are left alone. Name a folder on a larger disk "
                "(--cache-dir), delete what is not needed there, or read without it (--cache none)"
            )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in FULL
            what = "its disk or quota is full" if full else error.strerror or str(error)
            raise DatasetError(
                f"the frame cache {self.folder} cannot be written: {what}. What is built stays and "
                "is used. Name another folder (--cache-dir), or read without it (--cache none)"
            ) from error


def _stamp(path: Path) -> list[int] | None:
    """Size, modification and status time, file number; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
