"""Clusters, their match and the map of features of a run, as the page shows them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..datasets.errors import DatasetError
from ..datasets.track import Modality
from ..evaluation.results import stage_name
from ..pseudo_labels.label_quality import label_quality
from ..pseudo_labels.stored_clustering import StoredClustering, read_clustering
from ..pseudo_labels.unlabelled_quality import (
    majority_share,
    matching_margins,
    shared_clusters,
    silhouettes,
)
from .cluster_groups import ClusterGroup, cluster_groups, pick_groups, split_people
from .confusion import clothing_colours, pair_kinds, verdict
from .distribution_charts import scatter_chart, size_chart
from .embedding_map import embed, map_chart, pick_tracks
from .film_strip import frame_tile
from .matching_matrix import matching_matrix
from .run_record import RunRecord

MOST_TILES = 8  # of a cluster and modality


def stored_clustering(run: RunRecord) -> tuple[StoredClustering | None, list[str]]:
    """The run's last clustering, or that of its stage one, and sentences about what is missing."""
    source: RunRecord | None = run
    problems = []
    while source is not None:
        try:
            found = _with_frames(read_clustering(source), source)
        except FileNotFoundError:
            source = source.baseline
            continue
        except ValueError as error:
            problems.append(f"No clusters: {error}.")
            return None, problems
        if source is not run:
            problems.append(
                "This run kept no clustering of its own; the clusters and the map are those that "
                "stage one ended with."
            )
        return found, problems
    return None, ["No clusters: the run kept no clustering."]


def _with_frames(clustering: StoredClustering, run: RunRecord) -> StoredClustering:
    """Looks the frames up in the data set, where the run did not write them down."""
    root = run.setting("data_dir")
    if any(track.frames for track in clustering.tracks) or not root:
        return clustering
    try:
        dataset = load_dataset(str(run.setting("dataset")), root)
    except (DatasetError, OSError, ValueError, KeyError, TypeError):
        return clustering  # the sheets say that there are no frames
    frames = {track.key: track.frames for track in dataset.train}
    tracks = [dataclasses.replace(t, frames=frames.get(t.key, ())) for t in clustering.tracks]
    return dataclasses.replace(clustering, tracks=tracks)


def clusters(clustering: StoredClustering) -> dict[str, Any]:
    """Charts, matching matrix, contact sheets and what is confused."""
    groups = cluster_groups(clustering)
    matrix = matching_matrix(clustering)
    colours = clothing_colours(clustering.tracks) if clustering.identities is not None else None
    return {
        "when": _when(clustering),
        "charts": [chart for chart in _charts(clustering) if chart],
        "facts": _facts(clustering),
        "matrix": matrix,
        "sheets": [_sheet(grade, group, clustering) for grade, group in pick_groups(groups)],
        "split": _split(clustering),
        "confusion": _confusion(clustering, colours),
        "known": clustering.identities is not None,
    }


def _when(clustering: StoredClustering) -> str:
    if clustering.stage == "baseline":
        return "at the end of stage one"
    name = stage_name(clustering.stage)
    return f"{name}, epoch {clustering.epoch}" if clustering.epoch else name


def _sizes(clustering: StoredClustering, modality: Modality) -> np.ndarray:
    labels = clustering.labels[clustering.of(modality)]
    return np.unique(labels[labels >= 0], return_counts=True)[1]


def _charts(clustering: StoredClustering) -> list[Any]:
    sizes = {m.name.lower(): _sizes(clustering, m) for m in Modality}
    charts: list[Any] = [size_chart(sizes, title="Size of the clusters", x_label="tracks")]
    identities = clustering.identities
    points, names = {}, {}
    for modality in Modality:
        rows = clustering.of(modality)
        labels = clustering.labels[rows]
        found, texts = [], []
        scores = silhouettes(clustering.features.numpy()[rows], labels)
        for label in np.unique(labels[labels >= 0]):
            members = rows[labels == label]
            if identities is not None:
                value = float(np.unique(identities[members], return_counts=True)[1].max())
                value *= 100 / len(members)
            else:
                value = float(scores[labels == label].mean())
            if np.isfinite(value):
                found.append((len(members), value))
                texts.append(f"{modality.name.lower()} cluster {label}: {len(members)} tracks")
        points[modality.name.lower()], names[modality.name.lower()] = found, texts
    known = identities is not None
    charts.append(
        scatter_chart(
            points,
            title="Purity against size" if known else "Silhouette against size",
            x_label="tracks in the cluster",
            y_label="%" if known else "",
            names=names,
        )
    )
    return charts


def _facts(clustering: StoredClustering) -> list[dict[str, Any]]:
    """What needs no identity, and purity beside it, by modality and over both."""
    rows = []
    every = np.arange(len(clustering.tracks))
    parts = [(m.name.lower(), clustering.of(m), clustering.labels) for m in Modality]
    if clustering.unified is not None:
        parts.append(("both, unified", every, clustering.unified))
    for name, chosen, labels in parts:
        picked = labels[chosen]
        if not len(picked):
            continue
        cameras = clustering.cameras[chosen]
        scores = silhouettes(clustering.features.numpy()[chosen], picked)
        scores = scores[~np.isnan(scores)]
        clustered = cameras[picked >= 0]
        common = np.unique(clustered, return_counts=True)[1].max() if len(clustered) else 0
        both = name.startswith("both")
        rows.append(
            {
                "name": name,
                "clusters": len(np.unique(picked[picked >= 0])),
                "noise": float((picked < 0).mean()),
                "silhouette": float(scores.mean()) if len(scores) else None,
                "camera": _known(majority_share(picked, cameras)),
                "camera_chance": common / len(clustered) if len(clustered) else None,
                "purity": _known(label_quality(picked, clustering.identities[chosen]).purity)
                if clustering.identities is not None
                else None,
                "mixed": _known(shared_clusters(picked, clustering.modalities[chosen]))
                if both
                else None,
                "margin": None,
            }
        )
    if clustering.cost is not None and rows:
        margins = matching_margins(clustering.cost)
        rows[-1]["margin"] = float(np.median(margins)) if len(margins) else None
    return rows


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _sheet(grade: str, group: ClusterGroup, clustering: StoredClustering) -> dict[str, Any]:
    if group.purity is None:
        says = f"{group.size} tracks"
        if not np.isnan(group.tightness):
            says += f", silhouette {group.tightness:.2f}"
    else:
        people = "1 person" if group.people == 1 else f"{group.people} people"
        says = f"{group.size} tracks of {people}, purity {group.purity:.0%}"
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
                "picture": frame_tile(track),
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


def _confusion(clustering: StoredClustering, colours: np.ndarray | None) -> list[dict[str, Any]]:
    tables = []
    for modality in Modality:
        seen = colours if modality is Modality.VISIBLE else None  # infrared shows no colour
        kinds = pair_kinds(clustering, modality, seen)
        if kinds:
            tables.append(
                {"name": modality.name.lower(), "kinds": kinds, "verdict": verdict(kinds)}
            )
    return tables


def embedding(clustering: StoredClustering) -> dict[str, Any] | None:
    """Three colourings of one map, or None with too few tracks."""
    chosen = pick_tracks(len(clustering.tracks))
    if len(chosen) < 5:
        return None
    points = embed(clustering.features.numpy()[chosen])
    modalities = clustering.modalities[chosen]
    labels = clustering.labels if clustering.unified is None else clustering.unified
    if clustering.unified is None or not (clustering.unified >= 0).any():
        # Labels count within each modality, so equal numbers would say nothing.
        shift = int(clustering.labels.max(initial=-1)) + 1
        labels = np.where(
            (clustering.labels >= 0) & (clustering.modalities == Modality.INFRARED),
            clustering.labels + shift,
            clustering.labels,
        )
    maps = [
        map_chart(points, modalities, modalities, title="By modality", by_modality=True),
        map_chart(points, modalities, labels[chosen], title="By pseudo-label"),
    ]
    if clustering.identities is not None:
        people = np.unique(clustering.identities, return_inverse=True)[1]
        maps.append(map_chart(points, modalities, people[chosen], title="By identity"))
    return {"maps": maps, "shown": len(chosen), "all": len(clustering.tracks)}
