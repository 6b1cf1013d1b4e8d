"""A tracker with the faults of a real one: misses, broken and swapped tracks, false boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .scene_pictures import Person

_MISSED = 0.04  # share of people who are missed in a frame for no reason
_HIDDEN = 0.6  # share of a person that may be hidden or outside before they are missed
_PATIENCE = 2  # frames after which a track is given up
_CROSSING = 0.3  # share that one of two people must hide of the other for a swap
_SWAPPED = 0.1  # share of such meetings in which they swap tracks
_FALSE = 0.01  # false tracks begun a frame


@dataclass(frozen=True, slots=True)
class TrackedBox:
    """A box as the tracker gives it, and whose it is.

    Attributes:
        track: the tracker's number, from 1.
        box: left, top, width, height; pixels.
        confidence: 0 to 1.
        person: number of the person; None: nobody is there.
    """

    track: int
    box: tuple[float, float, float, float]
    confidence: float
    person: int | None


class SimulatedTracker:
    """Follows people through the pictures of a camera.

    Args:
        rng: its faults are drawn from it.
        width, height: of the pictures, pixels.

    Attributes:
        swaps: how often two people swapped their tracks.
        breaks: how often a person's track went on under another number.
        misses: people who were missed in a frame.
    """

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self.rng, self.width, self.height = rng, width, height
        self.swaps = self.breaks = self.misses = 0
        self._track: dict[int, int] = {}  # of each walk
        self._lost: dict[int, int] = {}  # frames since it was seen
        self._met: set[tuple[int, int]] = set()
        self._next = 1
        self._ghosts: list[tuple[int, int, tuple[float, float, float, float]]] = []

    def follow(self, people: Sequence[Person]) -> list[TrackedBox]:
        """The boxes of the next picture.

        Args:
            people: who is in it.
        """
        self._swap(people)
        boxes = []
        for person in people:
            walk = person.walk
            hidden = 1 - (1 - person.covered) * self._inside(person)
            if hidden > _HIDDEN or self.rng.random() < _MISSED:
                self.misses += 1
                self._lost[walk] = self._lost.get(walk, 0) + 1
                continue
            if walk in self._track and self._lost.get(walk, 0) > _PATIENCE:
                self.breaks += 1
                del self._track[walk]
            if walk not in self._track:
                self._track[walk] = self._number()
            self._lost[walk] = 0
            confidence = float(self.rng.uniform(0.6, 0.98)) * (1 - 0.5 * person.covered)
            boxes.append(
                TrackedBox(self._track[walk], self._wobbly(person.box), confidence, person.number)
            )
        return boxes + self._false()

    def _number(self) -> int:
        # Trackers count people whom they never confirm, so numbers have gaps.
        self._next += int(self.rng.integers(1, 3))
        return self._next

    def _inside(self, person: Person) -> float:
        left, _, wide, _ = person.box
        return max(0.0, min(left + wide, self.width) - max(left, 0)) / wide

    def _wobbly(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, top, wide, high = box
        x, y, w, h = self.rng.normal(0, 0.02, 4)
        wide, high = wide * (1.08 + w), high * (1.04 + h)
        middle, centre = left + box[2] / 2 + x * wide, top + box[3] / 2 + y * high
        return middle - wide / 2, centre - high / 2, wide, high

    def _swap(self, people: Sequence[Person]) -> None:
        """Lets two people who pass each other take each other's tracks, once a meeting."""
        for i, one in enumerate(people):
            for other in people[i + 1 :]:
                pair = (one.walk, other.walk)
                if pair in self._met or not all(walk in self._track for walk in pair):
                    continue
                if _overlap(one.box, other.box) < _CROSSING:
                    continue
                self._met.add(pair)
                if self.rng.random() < _SWAPPED:
                    first, second = (self._track[walk] for walk in pair)
                    self._track[pair[0]], self._track[pair[1]] = second, first
                    self.swaps += 1

    def _false(self) -> list[TrackedBox]:
        """Boxes where nobody is, for a few frames at one place."""
        if self.rng.random() < _FALSE:
            high = self.height * float(self.rng.uniform(0.3, 0.5))
            left = float(self.rng.uniform(5, self.width - 5 - high / 2))
            top = float(self.rng.uniform(5, self.height - 5 - high))
            frames = int(self.rng.integers(3, 12))
            self._ghosts.append((self._number(), frames, (left, top, high / 2, high)))
        boxes = [
            TrackedBox(track, self._wobbly(box), float(self.rng.uniform(0.3, 0.6)), None)
            for track, _, box in self._ghosts
        ]
        self._ghosts = [(track, left - 1, box) for track, left, box in self._ghosts if left > 1]
        return boxes


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> float:
    """Share of the smaller box that the other one covers."""
    sides = []
    for axis in (0, 1):
        low = max(one[axis], other[axis])
        high = min(one[axis] + one[axis + 2], other[axis] + other[axis + 2])
        sides.append(max(0.0, high - low))
    return sides[0] * sides[1] / min(one[2] * one[3], other[2] * other[3])
