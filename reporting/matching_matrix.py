"""The match of visible and infrared clusters as a picture: cost, right and wrong pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from ..datasets.track import Modality
from ..pseudo_labels.majority import majorities
from ..pseudo_labels.stored_clustering import StoredClustering
from .charts import Series, scatter_chart
from .film_strip import data_address

Integers = NDArray[np.int64]
Pair = tuple[int, int]  # visible and infrared cluster
INK = (31, 95, 191)
MARKS = {  # name, shape and colour of the page's style
    "pair": ("pair", "circle", "accent"),
    "right": ("right pair", "circle", "right"),
    "wrong": ("wrong pair", "crossRot", "wrong"),
    "missed": ("right, not made", "rect", "ignored"),
}


@dataclass(frozen=True)
class MatchingMatrix:
    """The picture with what it counts.

    Attributes:
        chart: the picture.
        visible: number of visible clusters.
        infrared: number of infrared clusters.
        matched: visible clusters with a partner.
        right: of these, pairs with the same majority identity; None where identities are unknown.
    """

    chart: Markup
    visible: int
    infrared: int
    matched: int
    right: int | None


class Arrangement(NamedTuple):
    """Order of rows and columns of the picture, and whom the clusters show.

    Attributes:
        rows: [V] visible clusters from top to bottom.
        columns: [I] infrared clusters from left to right.
        visible_people: [V] majority identity of each visible cluster, -1 = unknown.
        infrared_people: [I] of each infrared one.
        known: whether the identities are.
    """

    rows: Integers
    columns: Integers
    visible_people: Integers
    infrared_people: Integers
    known: bool


def arrange(clustering: StoredClustering) -> Arrangement | None:
    """Orders a match for a picture; None without one.

    With identities, both sides are ordered by the person whom most members show, so right pairs lie
    along the diagonal. Without, columns follow the partners of the rows.
    """
    partner = clustering.assignment
    if partner is None or not len(partner):
        return None
    priced = 0 if clustering.cost is None else clustering.cost.shape[1]
    infrared = clustering.labels[clustering.of(Modality.INFRARED)]
    columns = max(priced, int(infrared.max(initial=-1)) + 1, int(partner.max()) + 1)
    if columns == 0:
        return None
    known = clustering.identities is not None
    visible_people = _people(clustering, Modality.VISIBLE, len(partner))
    infrared_people = _people(clustering, Modality.INFRARED, columns)
    if known:
        rows_order = np.argsort(visible_people, kind="stable")
        columns_order = np.argsort(infrared_people, kind="stable")
    else:
        rows_order = np.arange(len(partner))
        first = dict.fromkeys(partner[partner >= 0].tolist())
        rest = [c for c in range(columns) if c not in first]
        columns_order = np.array([*first, *rest], np.int64)
    return Arrangement(rows_order, columns_order, visible_people, infrared_people, known)


def cost_shares(cost: NDArray[np.floating]) -> NDArray[np.float64]:
    """How low each cost is, [V, I] in 0 to 1: 1 the lowest of all, 0 the median and above."""
    values = np.asarray(cost, np.float64)
    low, high = float(values.min()), float(np.median(values))
    return np.clip((high - values) / (high - low), 0, 1) if high > low else np.zeros_like(values)


def matching_matrix(clustering: StoredClustering) -> MatchingMatrix | None:
    """Draws the match, visible clusters as rows, infrared ones as columns; None without one."""
    partner = clustering.assignment
    order = arrange(clustering)
    if partner is None or order is None:
        return None
    shape = (len(order.rows), len(order.columns))
    row_at, column_at = np.argsort(order.rows), np.argsort(order.columns)
    people = order.visible_people[:, None]
    same = (people == order.infrared_people[None, :]) & (people >= 0)
    pairs: dict[str, list[Pair]] = {kind: [] for kind in MARKS}
    for visible, infrared in enumerate(partner.tolist()):
        if infrared >= 0:
            kind = "pair" if not order.known else "right" if same[visible, infrared] else "wrong"
            pairs[kind].append((visible, infrared))
        if order.known:
            missed = [int(n) for n in np.flatnonzero(same[visible]) if n != infrared]
            pairs["missed"] += [(visible, number) for number in missed]
    series = []
    for kind, (name, mark, colour) in MARKS.items():
        texts = [f"{name}: visible {row}, infrared {column}" for row, column in pairs[kind]]
        if order.known:
            texts = [
                f"{text}, persons {order.visible_people[row]} and {order.infrared_people[column]}"
                for text, (row, column) in zip(texts, pairs[kind])
            ]
        points = [(int(column_at[c]), int(row_at[r])) for r, c in pairs[kind]]
        series.append(Series(name, points, texts, colour, mark))
    cost = clustering.cost
    if cost is None or cost.shape != shape:
        shares = np.zeros(shape)
    else:
        shares = cost_shares(cost)[order.rows][:, order.columns]
    chart = scatter_chart(
        series,
        title="Matching matrix",
        x_label="infrared clusters",
        y_label="visible clusters",
        heat=(_heat(shares), shape[1], shape[0]),
        radius=min(7.0, max(1.6, 150 / max(shape))),
    )
    matched = int((partner >= 0).sum())
    right = len(pairs["right"]) if order.known else None
    return MatchingMatrix(chart, *shape, matched, right)


def _heat(shares: NDArray[np.float64]) -> str:
    """Low cost as ink over the board, so that it fits light and dark pages."""
    picture = np.zeros((*shares.shape, 4), np.uint8)
    picture[..., :3] = INK
    picture[..., 3] = (shares * 170).astype(np.uint8)
    return data_address(Image.fromarray(picture), "png", optimize=True)


def _people(clustering: StoredClustering, modality: Modality, count: int) -> Integers:
    """Majority identity of each of the first ``count`` clusters, -1 = unknown."""
    found = np.full(count, -1, np.int64)
    if clustering.identities is not None:
        rows = clustering.of(modality)
        most = majorities(clustering.labels[rows], clustering.identities[rows])
        within = most.clusters < count
        found[most.clusters[within]] = most.values[within]
    return found
