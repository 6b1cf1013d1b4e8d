"""Memories of cluster prototypes: read by a loss, written after the backward pass."""

from .cluster import ClusterMemory
from .means import cluster_means, joint_prototypes
from .multi import MultiMemory

__all__ = ["ClusterMemory", "MultiMemory", "cluster_means", "joint_prototypes"]
