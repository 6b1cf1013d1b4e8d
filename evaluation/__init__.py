"""From features to a result: camera rules, protocols, galleries, re-ranking, result lines."""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .features import extract_features
    from .metrics import RULES, RankMetrics, ignores, per_query_metrics, rank_metrics
    from .protocols import Protocol, check_protocol, protocols_of, track_labels, tracks_of
    from .ranking import PerQueryMetrics
    from .reranking import rerank
    from .similarity import InnerProducts, Similarity
    from .trials import Result, evaluate

__all__ = [
    "RULES",
    "InnerProducts",
    "PerQueryMetrics",
    "Protocol",
    "RankMetrics",
    "Result",
    "Similarity",
    "check_protocol",
    "evaluate",
    "extract_features",
    "ignores",
    "per_query_metrics",
    "protocols_of",
    "rank_metrics",
    "rerank",
    "track_labels",
    "tracks_of",
]
__getattr__ = lazy_names(
    __name__, "metrics", "similarity", "protocols", "trials", "features", "reranking"
)
