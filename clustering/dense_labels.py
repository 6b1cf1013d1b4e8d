"""Labels without gaps in their numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def dense_labels(labels: ArrayLike) -> NDArray[np.int64]:
    """The same clusters, numbered from 0 without gaps, in their order.

    Args:
        labels: [N] integers, any negative number is noise.

    Returns:
        [N] int64, -1 = noise.
    """
    given = np.asarray(labels)
    dense = np.full(given.shape, -1, np.int64)
    kept = given >= 0
    dense[kept] = np.unique(given[kept], return_inverse=True)[1]
    return dense
