"""Tracklets of one's own cameras in an index that lasts, found again across modalities."""

from __future__ import annotations

from ..lazy import lazy_names

__all__ = [
    "Filter",
    "Projection",
    "Sighting",
    "TrackletStore",
    "fit_projection",
    "forget",
    "search_index",
]

__getattr__ = lazy_names(
    __name__,
    "conditions",
    "projection",
    "sightings",
    "store",
    "forgetting",
    "search",
)
