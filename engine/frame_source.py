"""The clip readers of a session, the processes that serve them, and what they cannot read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from tqdm import tqdm

from ..datasets.clip_reader import ClipReader
from ..datasets.clip_workers import ClipWorkers, decoding_threads
from ..datasets.errors import DatasetError
from ..datasets.options import FrameOptions
from ..datasets.resize import Filter
from ..datasets.track import Track
from ..distributed import processes, ranks
from ..errors import shorten
from . import resources

SHOWN = 5
GIB = 1 << 30
LARGEST_CACHE = 16 * GIB


def cache_limit() -> int:
    """Bytes that one cache in memory may take: what is free, shared with the processes here."""
    room = resources.host_memory()
    return (
        LARGEST_CACHE if room is None else min(LARGEST_CACHE, room.usable // processes.count_here())
    )


class FrameSource:
    """One reader for the training tracks, one for the test tracks, each made when it is needed.

    Args:
        options: image size, frames of a clip, cache.
        skip_corrupt: leave unreadable frames out instead of stopping.
        say: tells the person at the keyboard.
        pin: clips are for a CUDA device; see :class:`ClipWorkers`.
    """

    def __init__(
        self,
        options: FrameOptions,
        skip_corrupt: bool,
        say: Callable[[str], None],
        *,
        pin: bool = False,
    ) -> None:
        self._options = options
        self._skip_corrupt = skip_corrupt
        self._say = say
        self._pin = pin
        self._readers: dict[str, ClipReader] = {}
        self._workers: ClipWorkers | None = None
        self._reported: dict[str, int] = {}

    def reader(self, name: str, tracks: Sequence[Track]) -> ClipReader:
        """The reader called ``name``, made of ``tracks`` where there is none yet."""
        if name not in self._readers:
            self.close()  # workers know the readers that were there when they started
            options = self._options
            cached = options.cache != "none"
            with tqdm(
                total=sum(len(track.frames) for track in tracks),
                desc=f"reading the {name} frames",
                disable=None if cached and ranks.is_main() else True,
                dynamic_ncols=True,
                leave=False,
                unit="frame",
            ) as bar:
                self._readers[name] = ClipReader(
                    tracks,
                    height=options.img_h,
                    width=options.img_w,
                    num_frames=options.num_frames,
                    cache=options.cache,
                    cache_dir=options.cache_dir,
                    skip_corrupt=self._skip_corrupt,
                    resize=cast(Filter, options.test_resize if name == "test" else options.resize),
                    cache_limit=cache_limit(),
                    progress=bar.update,
                )
            self._say_disk(name, self._readers[name])
        return self._readers[name]

    @property
    def workers(self) -> ClipWorkers:
        """What reads the clips of all readers made so far, for every stage and extraction."""
        if self._workers is None:
            count = self._options.workers
            self._workers = ClipWorkers(
                list(self._readers.values()),
                count,
                pin=self._pin,
                threads=decoding_threads(count * processes.count_here()),
            )
        return self._workers

    def close(self) -> None:
        """Ends the processes that read; the readers stay."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def _say_disk(self, name: str, reader: ClipReader) -> None:
        """Where the cache on disk lies, and how large it is."""
        disk = reader.disk
        if disk is not None:
            built = f"; {disk.built} built, {disk.reused} reused" if disk.built else ""
            self._say(
                f"{name}: {disk.built + disk.reused} tracks take {disk.size / GIB:.2f} GiB in the "
                f"frame cache {disk.folder}{built}"
            )

    def readable(self, name: str, tracks: Sequence[Track]) -> list[int]:
        """Leaves the tracks without any readable frame out of a reader, and says so.

        Returns:
            Positions in ``tracks`` of those that stay, ascending.

        Raises:
            DatasetError: none stays.
        """
        lost = self.reader(name, tracks).leave_out_lost()
        self.report()
        if lost and len(lost) == len(tracks):
            raise DatasetError(
                f"no {name} track has a readable frame left; look for the reason in one of them: "
                f"{tracks[0].frames[0]}"
            )
        if lost:
            self._say(
                f"{name}: left out without a readable frame: {len(lost)} of {len(tracks)} tracks: "
                f"{shorten([tracks[i].key for i in lost])}"
            )
        return sorted(set(range(len(tracks))) - set(lost))

    def unreadable(self) -> dict[str, list[str]]:
        """Files of each reader that could not be read so far."""
        return {n: [str(path) for path in r.corrupt] for n, r in self._readers.items() if r.corrupt}

    def report(self) -> bool:
        """Names and counts the unreadable frames met since the last report; whether there were."""
        found = False
        for name, files in self.unreadable().items():
            new = files[self._reported.get(name, 0) :]
            self._reported[name] = len(files)
            if new:
                found = True
                listed = "\n".join(f"  {file}" for file in new[:SHOWN])
                more = f"\n  and {len(new) - SHOWN} more" if len(new) > SHOWN else ""
                what = "1 frame is" if len(new) == 1 else f"{len(new)} frames are"
                self._say(f"{name}: {what} unreadable and left out:\n{listed}{more}")
        return found
