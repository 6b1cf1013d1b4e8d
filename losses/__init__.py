"""Losses, one a file; all compute in float32 or better, also under autocast."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
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
# Commands read the options of this package before they load torch.
__getattr__ = lazy_names(
    __name__,
    "adaptive_triplet",
    "batch_hard_triplet",
    "contrast",
    "mmd",
    "modality_alignment",
    "registry",
    "separation",
    "weighted_triplet",
)
