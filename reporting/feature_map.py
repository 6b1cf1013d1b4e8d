"""The map of the training tracks' features: in two dimensions, coloured in three ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..datasets.track import Modality
from ..pseudo_labels.stored_clustering import StoredClustering
from .charts import Series, scatter_chart

MOST_TRACKS = 3000
COMPONENTS = 50
HUES = 12


def pick_tracks(count: int, *, most: int = MOST_TRACKS, seed: int = 0) -> NDArray[np.int64]:
    """All tracks, or a random part of them in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def principal_components(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """The first 50 of wider rows [N, D]; narrower ones as they are."""
    from sklearn.decomposition import PCA

    kept = min(COMPONENTS, *rows.shape)
    if kept < rows.shape[1]:
        rows = PCA(kept, svd_solver="randomized", random_state=0).fit_transform(rows)
    return rows


def embed(features: ArrayLike) -> NDArray[np.float64]:
    """Places samples in the plane so that near neighbours stay near: PCA to 50, then t-SNE.

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008, by scikit-learn.

    Args:
        features: [N, D] floating, N at least 5.

    Returns:
        [N, 2] scaled into the unit square.

    Raises:
        ValueError: fewer than 5 samples.
    """
    from sklearn.manifold import TSNE

    rows = np.asarray(features, dtype=np.float32)
    if len(rows) < 5:
        raise ValueError(f"a map needs at least 5 samples; got {len(rows)}")
    rows = principal_components(rows)
    rows = rows - rows.mean(0)
    if not rows.any():
        return np.full((len(rows), 2), 0.5)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    found = TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(rows)
    low, high = found.min(0), found.max(0)
    return np.asarray((found - low) / np.maximum(high - low, 1e-12), np.float64)


def map_charts(clustering: StoredClustering) -> dict[str, Any] | None:
    """The map by modality, by pseudo-label and, where they are known, by identity.

    Returns:
        ``maps``, and how many tracks are ``shown`` of ``all``; None with fewer than 5 tracks.
    """
    chosen = pick_tracks(len(clustering.tracks))
    if len(chosen) < 5:
        return None
    points = embed(clustering.features.numpy()[chosen])
    labels = clustering.unified
    if labels is None or not (labels >= 0).any():
        # They count within each modality, so equal numbers would say nothing.
        own = clustering.labels
        infrared = (own >= 0) & (clustering.modalities == Modality.INFRARED)
        labels = np.where(infrared, own + own.max(initial=-1) + 1, own)
    tracks = [clustering.tracks[row] for row in chosen.tolist()]
    texts = [
        f"{track.key}, {'noise' if label < 0 else f'label {label}'}"
        + ("" if track.identity is None else f", person {track.identity}")
        for track, label in zip(tracks, labels[chosen].tolist())
    ]
    modalities = clustering.modalities[chosen]
    groups = {"By modality": modalities, "By pseudo-label": labels[chosen]}
    if clustering.identities is not None:
        people = np.unique(clustering.identities, return_inverse=True)[1]
        groups["By identity"] = people[chosen]
    maps = [
        scatter_chart(
            _series(points, modalities, found, texts, "c" if title == "By modality" else "h"),
            title=title,
            bare=True,
            radius=2.5,
            most=MOST_TRACKS,
        )
        for title, found in groups.items()
    ]
    return {"maps": maps, "shown": len(chosen), "all": len(clustering.tracks)}


def _series(
    points: NDArray[np.float64],
    modalities: NDArray[np.int64],
    groups: NDArray[np.int64],
    texts: Sequence[str],
    colours: str,
) -> list[Series]:
    """One for each colour and modality; -1 is grey. More than twelve groups share colours."""
    classes = np.where(groups < 0, -1, groups % HUES)
    found = []
    for value in np.unique(classes).tolist():
        for code, shape in ((0, "circle"), (1, "rectRot")):
            rows = np.flatnonzero((classes == value) & (modalities == code)).tolist()
            colour = "none" if value < 0 else f"{colours}{value}"
            places = [(round(x, 3), round(y, 3)) for x, y in points[rows].tolist()]
            name = f"{Modality(code).name.lower()} {value}"
            found.append(Series(name, places, [texts[row] for row in rows], colour, shape))
    return found
