"""Features to pseudo-labels: neighbours, sparse Jaccard distance, DBSCAN, sub-clusters."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names
from .dbscan import dbscan  # at once: the module has the function's name

if TYPE_CHECKING:
    from .camera_mean import centre_by_camera
    from .jaccard import jaccard_distance
    from .neighbours import nearest_neighbours
    from .options import ClusteringOptions
    from .pseudo_labels import ClusterResult, DegenerateClustering, check_clustering, cluster
    from .subclusters import subcluster_centres

__all__ = [
    "ClusterResult",
    "ClusteringOptions",
    "DegenerateClustering",
    "centre_by_camera",
    "check_clustering",
    "cluster",
    "dbscan",
    "jaccard_distance",
    "nearest_neighbours",
    "subcluster_centres",
]
# Commands read the options of this package before they load torch.
__getattr__ = lazy_names(
    __name__, "options", "camera_mean", "jaccard", "neighbours", "pseudo_labels", "subclusters"
)
