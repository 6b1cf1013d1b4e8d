"""Features to pseudo-labels: neighbours, sparse Jaccard distance, DBSCAN, sub-clusters."""

from .camera_mean import centre_by_camera
from .dbscan import dbscan
from .jaccard import jaccard_distance
from .neighbours import nearest_neighbours
from .pseudo_labels import ClusterResult, DegenerateClustering, check_clustering, cluster
from .subclusters import subcluster_centres

__all__ = [
    "ClusterResult",
    "DegenerateClustering",
    "centre_by_camera",
    "check_clustering",
    "cluster",
    "dbscan",
    "jaccard_distance",
    "nearest_neighbours",
    "subcluster_centres",
]
