"""Batch samplers: which tracks make a training batch."""

from .base import EpochBatchSampler
from .cluster import ClusterBatchSampler
from .half_identity import HalfIdentityBatchSampler
from .half_random import HalfRandomBatchSampler
from .identity import IdentityBatchSampler
from .interleaved import InterleavedBatchSampler
from .modality_ratio import ModalityRatioBatchSampler
from .track_contrast import TrackContrastSampler
from .unified import UnifiedBatchSampler

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
]
