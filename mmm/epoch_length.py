"""How many batches stage two calls an epoch."""

from __future__ import annotations

import numpy as np

from ..datasets.track import Modality
from .settings import StageTwoSettings

# Of the variant `vireid`, whose epochs are the stretch between two matchings, not a pass.
DEFAULT_STEPS = 100


def fixed_steps(settings: StageTwoSettings) -> int | None:
    """Batches of an epoch where the data do not decide them, else None."""
    return settings.steps or (DEFAULT_STEPS if settings.variant == "vireid" else None)


def steps_of_epoch(settings: StageTwoSettings, modalities: np.ndarray) -> int:
    """Batches of an epoch: what the settings say, or else what the variant does.

    The published variants pass once over the larger modality: ⌊N / (P · K/2)⌋ + 1.

    Args:
        settings: settings.
        modalities: [N] of all tracks.
    """
    fixed = fixed_steps(settings)
    if fixed is not None:
        return fixed
    larger = max(int((modalities == modality).sum()) for modality in Modality)
    return larger // (settings.p_num * (settings.k_num // 2)) + 1
