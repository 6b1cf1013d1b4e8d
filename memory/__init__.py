"""Memories of cluster prototypes: read by a loss, written after the backward pass."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .cluster import ClusterMemory
    from .means import cluster_means, joint_prototypes
    from .multi import MultiMemory

__all__ = ["ClusterMemory", "MultiMemory", "cluster_means", "joint_prototypes"]
# Commands read the options of this package before they load torch.
__getattr__ = lazy_names(__name__, "cluster", "means", "multi")
