"""Losses, one a file; all compute in float32 or better, also under autocast."""

from .adaptive_triplet import AdaptiveTripletLoss
from .batch_hard_triplet import BatchHardTripletLoss
from .contrast import ContrastiveLoss
from .mmd import MMDLoss
from .modality_alignment import ModalityAlignmentLoss
from .registry import register_loss
from .separation import SeparationLoss
from .weighted_triplet import WeightedTripletLoss

__all__ = [
    "AdaptiveTripletLoss",
    "BatchHardTripletLoss",
    "ContrastiveLoss",
    "MMDLoss",
    "ModalityAlignmentLoss",
    "SeparationLoss",
    "WeightedTripletLoss",
    "register_loss",
]
