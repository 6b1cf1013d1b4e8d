"""What a tracker says of a video: boxes, each with its frame and the number of its track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LARGEST = 2**31  # of a frame or track number


@dataclass(frozen=True)
class Tracks:
    """Boxes of one video, by frame and then by track.

    Attributes:
        frame: [N] int64, from 0.
        track: [N] int64, the tracker's number.
        box: [N, 4] float64: left, top, width, height; pixels.
        confidence: [N] float64; NaN where the tracker gives none.
        hidden: [N] bool, whether the file says that something covers the person.
        size: width and height of the pictures as the file states them; None where it does not.
        rate: frames a second as the file states them; None where it does not.
        others: boxes that the file marks as something else than a person, and that are not here.
    """

    frame: NDArray[np.int64]
    track: NDArray[np.int64]
    box: NDArray[np.float64]
    confidence: NDArray[np.float64]
    hidden: NDArray[np.bool_]
    size: tuple[int, int] | None = None
    rate: float | None = None
    others: int = 0

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def frames(self) -> int:
        """Number of frames that a video needs for all boxes."""
        return int(self.frame[-1]) + 1 if len(self) else 0

    def at(self, frame: int) -> slice:
        """Which rows are those of a frame.

        Args:
            frame: from 0.
        """
        first, last = np.searchsorted(self.frame, [frame, frame + 1])
        return slice(int(first), int(last))

    def beginning(self, wanted: Callable[[int], bool]) -> Tracks:
        """The tracks, whole, whose first frame is wanted.

        Args:
            wanted: whether a frame, by its number, is.
        """
        first = dict(zip(self.track[::-1].tolist(), self.frame[::-1].tolist()))
        return self._at_rows(
            np.isin(self.track, [t for t, frame in first.items() if wanted(frame)])
        )

    def of(self, track: int) -> Tracks:
        """One track alone.

        Args:
            track: the tracker's number.
        """
        return self._at_rows(self.track == track)

    def _at_rows(self, rows: NDArray[np.bool_]) -> Tracks:
        columns = ("frame", "track", "box", "confidence", "hidden")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def last_frames(self) -> dict[int, int]:
        """The last frame of each track."""
        return dict(zip(self.track.tolist(), self.frame.tolist()))


@dataclass(frozen=True, slots=True)
class Row:
    """A box as a reader of a file meets it.

    Attributes:
        where: for messages, for instance ``tracks.txt, line 3``.
        frame: as the file counts.
        track: the tracker's number.
        box: left, top, width, height.
        confidence: None where there is none.
        hidden: whether the file says that something covers the person.
    """

    where: str
    frame: int
    track: int
    box: tuple[float, float, float, float]
    confidence: float | None = None
    hidden: bool = False


def gather(
    rows: Sequence[Row],
    first_frame: int,
    size: tuple[int, int] | None = None,
    rate: float | None = None,
    others: int = 0,
) -> Tracks:
    """Tracks of the rows of a file.

    Args:
        rows: in any order.
        first_frame: the number that the file gives the first frame.
        size, rate, others: as in :class:`Tracks`.

    Raises:
        ValueError: a frame comes before the first one, a box has no area, or a track has two boxes
            in a frame; names the place.
    """
    seen: dict[tuple[int, int], str] = {}
    for row in rows:
        if not first_frame <= row.frame < LARGEST or not 0 <= row.track < LARGEST:
            raise ValueError(
                f"{row.where}: frame {row.frame}, track {row.track}: frames count from "
                f"{first_frame} here, and tracks from 0. Where the file counts frames from another "
                "number, give it as --first-frame"
            )
        if not (np.isfinite(row.box).all() and row.box[2] > 0 and row.box[3] > 0):
            raise ValueError(
                f"{row.where}: a box of {row.box[2]:g} x {row.box[3]:g} pixels; expected left, "
                "top, width and height with an area"
            )
        other = seen.setdefault((row.frame, row.track), row.where)
        if other is not row.where:
            raise ValueError(
                f"{row.where}: track {row.track} has a second box in frame {row.frame} (the first: "
                f"{other}); is this the file of several videos?"
            )
    ordered = sorted(rows, key=lambda row: (row.frame, row.track))
    unknown = float("nan")
    return Tracks(
        np.array([row.frame - first_frame for row in ordered], np.int64),
        np.array([row.track for row in ordered], np.int64),
        np.array([row.box for row in ordered], np.float64).reshape(-1, 4),
        np.array([unknown if r.confidence is None else r.confidence for r in ordered], np.float64),
        np.array([row.hidden for row in ordered], bool),
        size,
        rate,
        others,
    )
