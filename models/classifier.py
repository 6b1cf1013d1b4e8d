"""Classifiers behind a batch-norm neck."""

from __future__ import annotations

import torch
from torch import nn

CLASSIFIER_STD = 0.001


def build_classifier(neck: nn.BatchNorm1d, num_identities: int) -> nn.Linear | None:
    """Builds a bias-free classifier behind a neck, on its device and in its type.

    Args:
        neck: the layer whose outputs are classified.
        num_identities: outputs; 0 gives None.

    Returns:
        The classifier, weights drawn from a normal of standard deviation 0.001, or None.

    Raises:
        ValueError: the number is negative.
    """
    if num_identities < 0:
        raise ValueError(f"`num_identities` is 0 (no classifier) or more; got {num_identities}")
    if num_identities == 0:
        return None
    like = neck.weight
    classifier = nn.Linear(
        neck.num_features, num_identities, bias=False, device=like.device, dtype=like.dtype
    )
    with torch.no_grad():
        classifier.weight.normal_(std=CLASSIFIER_STD)
    return classifier
