"""The match of visible and infrared clusters as a picture: cost, right and wrong pairs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from ..datasets.track import Modality
from ..pseudo_labels.stored_clustering import StoredClustering

Integers = NDArray[np.int64]
SIDE, EDGE = 640, 30  # the drawing's longer side and the room for labels
INK = (31, 95, 191)


@dataclass(frozen=True)
class MatchingMatrix:
    """The picture with what it counts.

    Attributes:
        drawing: an SVG element.
        visible: number of visible clusters.
        infrared: number of infrared clusters.
        matched: visible clusters with a partner.
        right: of these, pairs with the same majority identity; None where identities are unknown.
    """

    drawing: Markup
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
    people = [_majorities(clustering, modality) for modality in Modality]
    columns = _clusters(clustering, Modality.INFRARED)
    if clustering.cost is not None:
        columns = max(columns, clustering.cost.shape[1])
    columns = max(columns, int(partner.max()) + 1)
    if columns == 0:
        return None
    known = people[0] is not None and people[1] is not None
    visible_people = _padded(people[0], len(partner))
    infrared_people = _padded(people[1], columns)
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
    """Draws the match; rows are visible clusters, columns infrared ones (:func:`arrange`).

    Args:
        clustering: the last one of a run.

    Returns:
        The picture, or None without a match.
    """
    partner = clustering.assignment
    order = arrange(clustering)
    if partner is None or order is None:
        return None
    rows_order, columns_order, visible_people, infrared_people, known = order
    columns = len(columns_order)
    row_at, column_at = np.argsort(rows_order), np.argsort(columns_order)
    cell = min(36.0, SIDE / max(len(partner), columns))
    width, height = cell * columns, cell * len(partner)
    body = [
        Markup('<rect class="board" x="{0}" y="{0}" width="{1:.1f}" height="{2:.1f}"/>').format(
            EDGE, width, height
        )
    ]
    if clustering.cost is not None and clustering.cost.shape == (len(partner), columns):
        body.append(_heat(clustering.cost[rows_order][:, columns_order], width, height))
    right = 0
    for number in row_at.argsort().tolist():
        y = EDGE + (row_at[number] + 0.5) * cell
        if known:
            for column in np.flatnonzero(infrared_people == visible_people[number]).tolist():
                if column != partner[number]:
                    body.append(_mark("missed", EDGE + (column_at[column] + 0.5) * cell, y, cell))
        if partner[number] < 0:
            continue
        column = int(partner[number])
        good = bool(visible_people[number] == infrared_people[column]) if known else None
        right += bool(good)
        kind = "pair" if good is None else "right" if good else "wrong"
        text = f"visible {number}, infrared {column}"
        if known:
            text += f": persons {visible_people[number]} and {infrared_people[column]}"
        body.append(_mark(kind, EDGE + (column_at[column] + 0.5) * cell, y, cell, text))
    labels = Markup(
        '<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">infrared clusters</text>'
        '<text class="tick" transform="translate({},{:.1f}) rotate(-90)" text-anchor="middle">'
        "visible clusters</text>"
    ).format(EDGE + width / 2, EDGE - 10, EDGE - 10, EDGE + height / 2)
    drawing = Markup(
        '<svg class="matrix" viewBox="0 0 {0:.0f} {1:.0f}" style="max-width:{2:.0f}px" role="img" '
        'aria-label="Matching matrix">{3}{4}</svg>'
    ).format(
        EDGE + width + 4,
        EDGE + height + 4,
        EDGE + width + 4,
        Markup("").join(body),
        labels,
    )
    matched = int((partner >= 0).sum())
    return MatchingMatrix(drawing, len(partner), columns, matched, right if known else None)


def _mark(kind: str, x: float, y: float, cell: float, text: str = "") -> Markup:
    """A disc for right, a cross for wrong, an open square for a right pair that was not made."""
    r = min(9.0, max(1.6, 0.36 * cell))
    title = Markup("<title>{}</title>").format(text) if text else Markup("")
    if kind in ("right", "pair"):
        return Markup('<circle class="m {}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}">{}</circle>').format(
            kind, x, y, r, title
        )
    if kind == "wrong":
        return Markup(
            '<path class="m wrong" d="M{0:.1f} {1:.1f}L{2:.1f} {3:.1f}M{0:.1f} {3:.1f}L{2:.1f} '
            '{1:.1f}">{4}</path>'
        ).format(x - r, y - r, x + r, y + r, title)
    return Markup(
        '<rect class="m missed" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
    ).format(x - r, y - r, 2 * r, 2 * r)


def _heat(cost: NDArray[np.float32], width: float, height: float) -> Markup:
    """Low cost as ink over the board, so that it fits light and dark pages."""
    share = cost_shares(cost)
    picture = np.zeros((*share.shape, 4), np.uint8)
    picture[..., :3] = INK
    picture[..., 3] = (share * 170).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Markup(
        '<image x="{0}" y="{0}" width="{1:.1f}" height="{2:.1f}" preserveAspectRatio="none" '
        'style="image-rendering:pixelated" href="data:image/png;base64,{3}"/>'
    ).format(EDGE, width, height, data)


def _clusters(clustering: StoredClustering, modality: Modality) -> int:
    return int(clustering.labels[clustering.of(modality)].max(initial=-1)) + 1


def _majorities(clustering: StoredClustering, modality: Modality) -> Integers | None:
    if clustering.identities is None:
        return None
    rows = clustering.of(modality)
    labels = clustering.labels[rows]
    found = np.full(_clusters(clustering, modality), -1, np.int64)
    for label in range(len(found)):
        people, counts = np.unique(clustering.identities[rows[labels == label]], return_counts=True)
        if len(people):
            found[label] = people[counts.argmax()]
    return found


def _padded(people: Integers | None, count: int) -> Integers:
    result = np.full(count, -1, np.int64)
    if people is not None:
        result[: min(len(people), count)] = people[:count]
    return result
