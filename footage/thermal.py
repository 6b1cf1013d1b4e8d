"""16-bit pictures of thermal cameras as 8-bit crops: one window for a tracklet, and the way back.

A raw value r inside a window becomes round(255 (r - low) / (high - low)), and a stored value s
stands for low + s (high - low) / 255. What was inside the window comes back to within half a step
of (high - low) / 255, exactly where the window spans at most 255; what lay outside comes back as
the window's end, and the window counts it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = 1 << 16


@dataclass(frozen=True, slots=True)
class Window:
    """Which raw values become 0 to 255.

    Attributes:
        low: raw value that becomes 0.
        high: raw value that becomes 255, above `low`.
        below: pixels of the tracklet under `low`.
        above: pixels of the tracklet over `high`.
    """

    low: int
    high: int
    below: int = 0
    above: int = 0

    def apply(self, raw: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """8-bit values of raw ones.

        Args:
            raw: uint16, any shape.
        """
        inside = np.clip(raw.astype(np.float64), self.low, self.high) - self.low
        return np.round(inside * (255 / (self.high - self.low))).astype(np.uint8)

    def invert(self, stored: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Raw values that 8-bit ones stand for.

        Args:
            stored: uint8, any shape.
        """
        return self.low + stored.astype(np.float64) * ((self.high - self.low) / 255)


class Histogram:
    """How often each raw value occurs in a tracklet; half a mebibyte whatever its length.

    Attributes:
        counts: [65536] int64.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(LEVELS, np.int64)

    def add(self, raw: NDArray[np.uint16]) -> None:
        """Counts the pixels of a crop.

        Args:
            raw: uint16, any shape.
        """
        self.counts += np.bincount(raw.ravel(), minlength=LEVELS)

    def window(self, clipped: float) -> Window:
        """The window that leaves out this share at each end at most.

        Args:
            clipped: per cent of the pixels, below 50.
        """
        total = np.cumsum(self.counts)
        most = int(total[-1] * clipped / 100)
        low = int(np.searchsorted(total, most, side="right"))
        high = int(np.searchsorted(total, total[-1] - most))
        high = max(high, low + 1)
        below = int(total[low - 1]) if low else 0
        return Window(low, high, below, int(total[-1] - total[min(high, LEVELS - 1)]))
