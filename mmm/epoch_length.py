"""How many batches the published recipes call an epoch."""

from __future__ import annotations

import numpy as np

from ..datasets.track import Modality


def one_pass(modalities: np.ndarray, p: int, k: int) -> int:
    """Batches after which the larger modality has been seen once: ⌊N / (P · K/2)⌋ + 1.

    Args:
        modalities: [N] of all tracks.
        p: identities in a batch.
        k: tracks of each identity, half of them of each modality.
    """
    larger = max(int((modalities == modality).sum()) for modality in Modality)
    return larger // (p * (k // 2)) + 1
