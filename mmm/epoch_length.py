"""How many batches stage two calls an epoch."""

from __future__ import annotations

import numpy as np

from ..datasets.track import Modality
from .config import MMMConfig

# Of the variant `vireid`, whose epochs are the stretch between two matchings, not a pass.
DEFAULT_STEPS = 100


def fixed_steps(config: MMMConfig) -> int | None:
    """Batches of an epoch where the data do not decide them, else None."""
    return config.steps or (DEFAULT_STEPS if config.variant == "vireid" else None)


def steps_of_epoch(config: MMMConfig, modalities: np.ndarray) -> int:
    """Batches of an epoch: what the settings say, or else what the variant does.

    The published variants pass once over the larger modality: ⌊N / (P · K/2)⌋ + 1.

    Args:
        config: settings.
        modalities: [N] of all tracks.
    """
    fixed = fixed_steps(config)
    if fixed is not None:
        return fixed
    larger = max(int((modalities == modality).sum()) for modality in Modality)
    return larger // (config.p_num * (config.k_num // 2)) + 1
