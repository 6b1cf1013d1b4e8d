"""Contact sheets: one frame of each of some members of clusters, and of people torn apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pseudo_labels.stored_clustering import StoredClustering
from .cluster_groups import ClusterGroup, cluster_groups, pick_groups, split_people
from .film_strip import film_strip, middle_frame

MOST_TILES = 8  # of a cluster and modality


def contact_sheets(clustering: StoredClustering) -> list[dict[str, Any]]:
    """Sheets of the best and the worst groups, and of the people in the most clusters."""
    picked = pick_groups(cluster_groups(clustering))
    return [_sheet(grade, group, clustering) for grade, group in picked] + _split(clustering)


def _sheet(grade: str, group: ClusterGroup, clustering: StoredClustering) -> dict[str, Any]:
    says = f"{group.size} tracks"
    if group.purity is not None:
        people = "1 person" if group.people == 1 else f"{group.people} people"
        says += f" of {people}, purity {group.purity:.0%}"
    elif not np.isnan(group.tightness):
        says += f", silhouette {group.tightness:.2f}"
    return {
        "grade": grade,
        "title": group.title,
        "says": says,
        "parts": [
            _part(name, rows, clustering, group.majority)
            for name, rows in (("visible", group.visible), ("infrared", group.infrared))
            if len(rows)
        ],
    }


def _part(
    name: str, rows: np.ndarray, clustering: StoredClustering, majority: int | None
) -> dict[str, Any]:
    """Tiles of some members; those of the majority and the others keep their proportion."""
    identities = clustering.identities
    if identities is not None:
        rows = rows[np.argsort(identities[rows] != majority, kind="stable")]
    places = np.linspace(0, len(rows) - 1, min(MOST_TILES, len(rows))).round().astype(int)
    tiles = []
    for row in rows[places].tolist():
        track = clustering.tracks[row]
        same = None if identities is None else bool(identities[row] == majority)
        tiles.append(
            {
                "picture": film_strip(middle_frame(track)),
                "key": track.key,
                "camera": track.camera,
                "identity": track.identity,
                "verdict": "plain" if same is None else "right" if same else "wrong",
            }
        )
    return {"name": name, "tiles": tiles, "left": len(rows) - len(tiles)}


def _split(clustering: StoredClustering) -> list[dict[str, Any]]:
    sheets = []
    for person in split_people(clustering):
        parts = []
        for name, label, rows in person.parts:
            part = _part(name, rows[: MOST_TILES // 2], clustering, person.identity)
            part["left"] += len(rows) - len(rows[: MOST_TILES // 2])
            part["name"] = f"{name}, " + (f"cluster {label}" if label >= 0 else "noise")
            parts.append(part)
        sheets.append(
            {
                "grade": "most split",
                "title": f"person {person.identity}",
                "says": f"in {person.clusters} clusters",
                "parts": parts,
            }
        )
    return sheets
