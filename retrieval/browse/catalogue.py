"""All tracklets of an index in order of time, in pages that a person and a phone can take.

Cameras, modalities and times of a million tracklets fit into memory; pictures and vectors are read
for what is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..store import TrackletStore

PAGE = 60
BINS = 48
_COLUMNS = ("key", "camera", "modality", "start_time", "end_time")


@dataclass(frozen=True)
class Seen:
    """A tracklet without its picture.

    Attributes:
        key: its name.
        camera: name of its camera.
        modality: ``visible`` or ``infrared``.
        start, end: seconds; None if unknown.
    """

    key: str
    camera: str
    modality: str
    start: float | None
    end: float | None


@dataclass(frozen=True)
class Page:
    """Some tracklets that follow each other.

    Attributes:
        tracklets: in order of time, those without one last.
        position: of the first among all that were asked for.
        total: how many were asked for.
        bins: how many begin in each of the equal parts of all the time; empty without times.
        firsts: position of the first tracklet of each part.
    """

    tracklets: list[Seen]
    position: int
    total: int
    bins: list[int]
    firsts: list[int]


class Catalogue:
    """Facts of all tracklets.

    Args:
        store: of the index.

    Attributes:
        cameras: their names, sorted.
    """

    def __init__(self, store: TrackletStore) -> None:
        keys: list[str] = []
        cameras: list[str] = []
        infrared: list[bool] = []
        times: list[tuple[float, float]] = []
        for batch in store.batches("", _COLUMNS):
            found = [batch.column(name).to_pylist() for name in _COLUMNS]
            keys += found[0]
            cameras += found[1]
            infrared += [modality == "infrared" for modality in found[2]]
            nan = float("nan")
            times += [
                (nan if a is None else a, nan if b is None else b) for a, b in zip(*found[3:])
            ]
        start, end = np.array(times, np.float64).reshape(-1, 2).T
        order = np.lexsort((np.array(keys, object), start))  # NaN goes last
        self.keys = [keys[place] for place in order]
        self.cameras = sorted(set(cameras))
        numbers = {name: number for number, name in enumerate(self.cameras)}
        self._camera = np.array([numbers[name] for name in cameras], np.int32)[order]
        self._infrared = np.array(infrared, bool)[order]
        self._start, self._end = start[order], end[order]
        self._place = {key: place for place, key in enumerate(self.keys)}

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, key: object) -> bool:
        return key in self._place

    def get(self, key: str) -> Seen:
        """One tracklet.

        Args:
            key: of a tracklet that is there.

        Raises:
            KeyError: there is none of this key.
        """
        return self._seen(self._place[key])

    def of_modality(self, modality: str, most: int) -> list[str]:
        """Keys of tracklets, evenly spread over all of them where there are more than wanted.

        Args:
            modality: ``visible`` or ``infrared``.
            most: how many.
        """
        places = np.flatnonzero(self._infrared == (modality == "infrared"))
        if len(places) > most:
            places = places[np.linspace(0, len(places) - 1, most).round().astype(int)]
        return [self.keys[place] for place in places]

    def page(
        self,
        position: int = 0,
        camera: str = "",
        modality: str = "",
        find: str = "",
        around: str = "",
    ) -> Page:
        """Tracklets that follow each other.

        Args:
            position: of the first, among those that are asked for.
            camera: name of one camera; empty for all.
            modality: ``visible`` or ``infrared``; empty for both.
            find: what the key holds, in letters of either case; empty for anything.
            around: key of a tracklet that is to be on the page; `position` counts without one.
        """
        places = self._asked_for(camera, modality, find)
        if around in self._place:
            position = int(np.searchsorted(places, self._place[around])) // PAGE * PAGE
        position = max(0, min(position, max(0, len(places) - 1)))
        shown = [self._seen(place) for place in places[position : position + PAGE]]
        starts = self._start[places]
        starts = starts[~np.isnan(starts)]
        if not len(starts):
            return Page(shown, position, len(places), [], [])
        edges = np.linspace(starts[0], starts[-1], BINS + 1)
        firsts = np.searchsorted(starts, edges[:-1])
        counts = np.diff([*firsts, len(starts)])
        return Page(shown, position, len(places), counts.tolist(), firsts.tolist())

    def _asked_for(self, camera: str, modality: str, find: str) -> NDArray[np.int64]:
        wanted = np.ones(len(self.keys), bool)
        if camera:
            known = camera in self.cameras
            wanted &= self._camera == (self.cameras.index(camera) if known else -1)
        if modality:
            wanted &= self._infrared == (modality == "infrared")
        if find:
            text = find.casefold()
            wanted &= np.array([text in key.casefold() for key in self.keys], bool)
        return np.flatnonzero(wanted)

    def _seen(self, place: int) -> Seen:
        start, end = float(self._start[place]), float(self._end[place])
        return Seen(
            self.keys[place],
            self.cameras[self._camera[place]],
            "infrared" if self._infrared[place] else "visible",
            None if np.isnan(start) else start,
            None if np.isnan(end) else end,
        )
