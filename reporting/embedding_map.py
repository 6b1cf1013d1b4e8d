"""A map of the tracks' features in two dimensions, coloured in three ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

MOST_TRACKS = 3000
COMPONENTS = 50
HUES = 12
SIZE = 400


def pick_tracks(count: int, *, most: int = MOST_TRACKS, seed: int = 0) -> NDArray[np.int64]:
    """All tracks, or a random part of them in their order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def embed(features: ArrayLike, *, seed: int = 0) -> NDArray[np.float64]:
    """Places samples in the plane so that near neighbours stay near: PCA to 50, then t-SNE.

    Source: van der Maaten and Hinton, "Visualizing data using t-SNE", JMLR 2008, by scikit-learn.

    Args:
        features: [N, D] floating, N at least 5.
        seed: of the decomposition and the descent.

    Returns:
        [N, 2] scaled into the unit square.

    Raises:
        ValueError: fewer than 5 samples.
    """
    rows = np.asarray(features, dtype=np.float32)
    if len(rows) < 5:
        raise ValueError(f"a map needs at least 5 samples; got {len(rows)}")
    kept = min(COMPONENTS, *rows.shape)
    if kept < rows.shape[1]:
        rows = PCA(kept, svd_solver="randomized", random_state=seed).fit_transform(rows)
    rows = rows - rows.mean(0)
    if not rows.any():
        return np.full((len(rows), 2), 0.5)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    found = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)
    low, high = found.min(0), found.max(0)
    return np.asarray((found - low) / np.maximum(high - low, 1e-12), np.float64)


def map_chart(
    points: NDArray[np.float64],
    modalities: NDArray[np.int64],
    groups: Sequence[int] | NDArray[np.int64],
    *,
    title: str,
    by_modality: bool = False,
) -> Markup:
    """Draws the map with one colour a group; visible tracks are round, infrared ones square.

    Args:
        points: [N, 2] in the unit square.
        modalities: [N] codes of ``Modality``.
        groups: [N] integers; -1 is drawn grey. More than twelve groups share colours.
        title: name of the map.
        by_modality: the groups are the modalities, so their two colours are those of the charts.

    Returns:
        A ``figure`` element.
    """
    given = np.asarray(groups)
    hues = given % HUES
    # Neighbouring numbers get distant colours; noise lies below all.
    classes = np.where(given < 0, -1, hues)
    body = []
    for value in np.unique(classes).tolist():
        colour = "none" if value < 0 else f"s{value}" if by_modality else f"h{value}"
        for code, shape in ((0, "round"), (1, "square")):
            chosen = (classes == value) & (modalities == code)
            if chosen.any():
                places = "".join(
                    f"M{12 + x * (SIZE - 24):.1f} {12 + y * (SIZE - 24):.1f}h0"
                    for x, y in points[chosen]
                )
                body.append(Markup('<path class="pt {} {}" d="{}"/>').format(colour, shape, places))
    return Markup(
        '<figure class="chart map"><figcaption>{0}</figcaption><svg viewBox="0 0 {1} {1}" '
        'role="img" aria-label="{0}">{2}</svg></figure>'
    ).format(title, SIZE, Markup("").join(body))
