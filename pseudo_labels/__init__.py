"""From features to the pseudo-labels of a stage, what it hands on, and how good its labels are."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .labelling import clustering_features, intra_modality_labels, joint_labels

__all__ = ["clustering_features", "intra_modality_labels", "joint_labels"]
__getattr__ = lazy_names(__name__, "labelling")
