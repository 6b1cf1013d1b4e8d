"""Features to pseudo-labels: neighbours, sparse Jaccard distance, DBSCAN, sub-clusters."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names
from .dbscan import dbscan  # at once: the module has the function's name

if TYPE_CHECKING:
    from .camera_mean import centre_by_camera
    from .grouped_jaccard import camera_aware_jaccard, modality_balanced_jaccard
    from .jaccard import jaccard_distance
    from .neighbours import nearest_neighbours
    from .options import ClusteringOptions
    from .pseudo_labels import ClusterResult, DegenerateClustering, check_clustering, cluster
    from .subclusters import subcluster_centres

__all__ = [
    "ClusterResult",
    "ClusteringOptions",
    "DegenerateClustering",
    "camera_aware_jaccard",
    "centre_by_camera",
    "check_clustering",
    "cluster",
    "dbscan",
    "jaccard_distance",
    "modality_balanced_jaccard",
    "nearest_neighbours",
    "subcluster_centres",
]
# Commands read the options of this package before they load torch.
__getattr__ = lazy_names(
    __name__,
    *("options", "camera_mean", "grouped_jaccard", "jaccard", "neighbours", "pseudo_labels"),
    "subclusters",
)
