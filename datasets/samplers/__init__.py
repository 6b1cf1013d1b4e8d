"""Batch samplers: which tracks make a training batch."""

from .base import EpochBatchSampler
from .cluster import ClusterBatchSampler
from .half_random import HalfRandomBatchSampler
from .identity import IdentityBatchSampler
from .track_contrast import TrackContrastSampler
from .two_sided import (
    HalfIdentityBatchSampler,
    InterleavedBatchSampler,
    ModalityRatioBatchSampler,
)
from .unified import UnifiedBatchSampler
from .unpaired import UnpairedBatchSampler

__all__ = [
    "ClusterBatchSampler",
    "EpochBatchSampler",
    "HalfIdentityBatchSampler",
    "HalfRandomBatchSampler",
    "IdentityBatchSampler",
    "InterleavedBatchSampler",
    "ModalityRatioBatchSampler",
    "TrackContrastSampler",
    "UnifiedBatchSampler",
    "UnpairedBatchSampler",
]
