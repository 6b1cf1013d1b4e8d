"""The section about clusters: where they come from, charts, table, match, what is confused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..datasets.errors import DatasetError
from ..datasets.track import Modality
from ..evaluation.results import stage_name
from ..pseudo_labels.majority import majorities, majority_share
from ..pseudo_labels.stored_clustering import StoredClustering, read_clustering
from ..pseudo_labels.unlabelled_quality import (
    matching_margins,
    mean_silhouette,
    shared_clusters,
    silhouettes,
)
from .charts import Series, scatter_chart, size_chart
from .confusion import clothing_colours, pair_kinds, verdict
from .contact_sheets import contact_sheets
from .matching_matrix import matching_matrix
from .run_record import RunRecord


def stored_clustering(run: RunRecord) -> tuple[StoredClustering | None, list[str]]:
    """The run's last clustering, or that of its stage one, and sentences about what is missing."""
    source: RunRecord | None = run
    while source is not None:
        try:
            root = Path(str(source.setting("data_dir") or ""))
            found = _with_frames(read_clustering(source.path, root), source)
        except FileNotFoundError:
            source = source.baseline
            continue
        except ValueError as error:
            return None, [f"No clusters: {error}."]
        says = (
            "This run kept no clustering of its own; the clusters and the map are those that "
            "stage one ended with."
        )
        return found, [] if source is run else [says]
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
    """Charts, table, matching matrix, contact sheets and what is confused."""
    return {
        "when": _when(clustering),
        "charts": [chart for chart in _charts(clustering) if chart],
        "facts": _facts(clustering),
        "matrix": matching_matrix(clustering),
        "sheets": contact_sheets(clustering),
        "confusion": _confusion(clustering),
        "known": clustering.identities is not None,
    }


def _when(clustering: StoredClustering) -> str:
    if clustering.stage == "baseline":
        return "at the end of stage one"
    name = stage_name(clustering.stage)
    return f"{name}, epoch {clustering.epoch}" if clustering.epoch else name


def _charts(clustering: StoredClustering) -> list[Any]:
    known = clustering.identities is not None
    series, sizes_by_name = [], {}
    for modality in Modality:
        rows = clustering.of(modality)
        labels = clustering.labels[rows]
        clusters, sizes = np.unique(labels[labels >= 0], return_counts=True)
        if clustering.identities is not None:
            most = majorities(labels, clustering.identities[rows])
            values = 100 * most.counts / most.sizes
        else:
            scores = silhouettes(clustering.features.numpy()[rows], labels)
            values = np.array([scores[labels == label].mean() for label in clusters])
        name = modality.name.lower()
        sizes_by_name[name] = sizes
        shown = np.flatnonzero(np.isfinite(values)).tolist()
        unit = "% pure" if known else "silhouette"
        series.append(
            Series(
                name,
                [(float(sizes[n]), float(values[n])) for n in shown],
                [
                    f"{name} cluster {clusters[n]}: {sizes[n]} tracks, {values[n]:.3g} {unit}"
                    for n in shown
                ],
                shape="circle" if modality is Modality.VISIBLE else "rectRot",
            )
        )
    return [
        size_chart(sizes_by_name, title="Size of the clusters", x_label="tracks"),
        scatter_chart(
            series,
            title="Purity against size" if known else "Silhouette against size",
            x_label="tracks in the cluster",
            unit="%" if known else "",
        ),
    ]


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
        clustered = cameras[picked >= 0]
        common = np.unique(clustered, return_counts=True)[1].max() if len(clustered) else 0
        both = name.startswith("both")
        rows.append(
            {
                "name": name,
                "clusters": len(np.unique(picked[picked >= 0])),
                "noise": float((picked < 0).mean()),
                "silhouette": _known(mean_silhouette(clustering.features.numpy()[chosen], picked)),
                "camera": _known(majority_share(picked, cameras)),
                "camera_chance": common / len(clustered) if len(clustered) else None,
                "purity": _known(majority_share(picked, clustering.identities[chosen]))
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


def _confusion(clustering: StoredClustering) -> list[dict[str, Any]]:
    if clustering.identities is None:
        return []
    tables = []
    for modality in Modality:
        visible = modality is Modality.VISIBLE  # infrared shows no colour
        colours = clothing_colours(clustering.tracks) if visible else None
        kinds = pair_kinds(clustering, modality, colours)
        tables.append({"name": modality.name.lower(), "kinds": kinds, "verdict": verdict(kinds)})
    return tables
