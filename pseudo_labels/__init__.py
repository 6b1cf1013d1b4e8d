"""From features to pseudo-labels of a stage, what it hands on, and how good its labels are."""

from .labelling import clustering_features, intra_modality_labels, joint_labels

__all__ = ["clustering_features", "intra_modality_labels", "joint_labels"]
