"""Which tracks the released code keeps in stage two, and the numbers of its classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..clustering.dense_labels import dense_labels
from ..datasets.track import Modality


def released_classes(unified: ArrayLike, modalities: ArrayLike) -> NDArray[np.int64]:
    """Leaves tracks out as the released code does, and numbers the classes without gaps.

    Left out are noise, and labels above the number of different labels of the modality that has
    more of them; noise counts as one of these. Source: the code released with MMM, which then
    counts the classes of one modality alone, so that a label may reach their number and stop it;
    numbers without gaps cannot.

    Args:
        unified: [N] integers, one label space for both modalities, -1 = noise.
        modalities: [N].

    Returns:
        [N] int64 classes 0 … C−1, -1 = left out.
    """
    labels, modality_of = np.asarray(unified), np.asarray(modalities)
    different = max(len(np.unique(labels[modality_of == modality])) for modality in Modality)
    kept = (labels >= 0) & (labels <= different)
    return dense_labels(np.where(kept, labels, -1))
