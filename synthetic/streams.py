"""Random streams: one for each thing that is drawn, independent of order and of processes."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a random stream decides; part of its seed, so the numbers must stay as they are."""

    PERSON = 1
    CAMERA = 2
    SENSOR = 3
    SCHEDULE = 4
    WALK = 5
    NOISE = 6
    PASSER_BY = 7
    SPLIT = 8
    UNSHARED = 9
    SIDES = 10
    DYE = 11
    HEAT = 12
    THERMAL = 13
    ITINERARY = 14
    TRACKER = 15


def stream(seed: int, kind: Stream, *keys: int) -> np.random.Generator:
    """The PCG64 generator for one thing, the same on every machine, independent of all others.

    Args:
        seed: seed of the data set, not negative.
        kind: what is decided.
        keys: which of these things (person, camera, track, ...), each not negative.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, int(kind), *keys])))
