"""What TensorBoard shows beside numbers: matchings, ranked lists, the test features.

Each function hands its drawing to :meth:`Board.to_tensorboard` with the run's steps so far, so
nothing here can stop a run, only the main process draws; ``--no-pictures`` leaves all of it out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..datasets.track import Track
from ..evaluation.protocols import Protocol
from ..pseudo_labels.stored_clustering import StoredClustering
from .feature_map import pick_tracks, principal_components
from .film_strip import TILE, film_image, middle_frame
from .matching_matrix import INK, arrange, cost_shares
from .ranked_lists import RankedList, ranked_lists, score_direction
from .retrieval_section import one_each

Pixels = NDArray[np.uint8]
SIDE = 640  # pixels of a matrix's longer side, about
BOARD, RIGHT, WRONG, MISSED = (244, 246, 250), (28, 145, 82), (208, 52, 44), (240, 190, 70)
LENGTH = 10  # entries of a ranked list
FRAME, GAP = 3, 10  # width of a tile's coloured frame; room after the query
PAPER = (255, 255, 255)
VERDICTS = {"right": RIGHT, "wrong": WRONG, "ignored": (170, 176, 186)}


class Board(Interface):
    """Where pictures go: a run folder."""

    pictures: bool

    def to_tensorboard(self, write: Callable[[Any], None], step: int) -> None:
        """Lets ``write`` add to the TensorBoard events."""


def show_matching(run: Board, clustering: StoredClustering, step: int) -> None:
    """The matching matrix under ``matching/matrix``; features are not looked at."""

    def write(writer: Any) -> None:
        pixels = matching_pixels(clustering)
        if pixels is not None:
            writer.add_image("matching/matrix", pixels, step, dataformats="HWC")

    if run.pictures:
        run.to_tensorboard(write, step)


def show_ranked_lists(
    run: Board, protocols: Sequence[Protocol], features: Tensor, keys: Sequence[str], step: int
) -> None:
    """Best, median and worst query of each direction under ``ranked_lists/<protocol>``.

    The first protocol of each direction is shown, of several trials the first. ``features`` are
    [N, D] unit rows of the N ``keys``.
    """

    def write(writer: Any) -> None:
        for protocol in one_each(list(protocols)):
            scored = score_direction(protocol, features, keys)
            lists = ranked_lists(scored, each=1, length=LENGTH)
            if lists:
                tag = f"ranked_lists/{protocol.name}"
                writer.add_image(tag, ranked_pixels(lists), step, dataformats="HWC")

    if run.pictures:
        run.to_tensorboard(write, step)


def show_embedding(run: Board, features: Tensor, tracks: Sequence[Track], step: int) -> None:
    """The test features for TensorBoard's projector, with identity, camera and modality.

    Of many tracks a random part, and of wide features their first principal components: the
    projector takes text, and a browser has to hold it. ``features`` are [N, D] unit rows.
    """

    def write(writer: Any) -> None:
        chosen = pick_tracks(len(tracks))
        rows = principal_components(features.detach().cpu().numpy()[chosen])
        picked = [tracks[i] for i in chosen.tolist()]
        writer.add_embedding(
            np.ascontiguousarray(rows, np.float32),
            [[t.identity, t.camera, t.modality.name.lower(), t.key] for t in picked],
            metadata_header=["identity", "camera", "modality", "key"],
            global_step=step,
            tag="test_features",
        )

    if run.pictures:
        run.to_tensorboard(write, step)


def matching_pixels(clustering: StoredClustering) -> Pixels | None:
    """The match as a picture: low costs as ink, right pairs green, wrong red, missed ones yellow.

    [H, W, 3], rows visible clusters, columns infrared ones; None without a match.
    """
    order = arrange(clustering)
    partner = clustering.assignment
    if order is None or partner is None:
        return None
    shape = (len(order.rows), len(order.columns))
    cells = np.broadcast_to(np.array(BOARD, np.float64), (*shape, 3)).copy()
    if clustering.cost is not None and clustering.cost.shape == shape:
        # Pale, so that the pairs stand out.
        share = 0.6 * cost_shares(clustering.cost)[..., None]
        cells = (1 - share) * cells + share * np.array(INK, np.float64)
    same = order.visible_people[:, None] == order.infrared_people[None, :]
    if order.known:
        cells[same & (order.visible_people >= 0)[:, None]] = MISSED
    for row in np.flatnonzero(partner >= 0).tolist():
        column = int(partner[row])
        cells[row, column] = (RIGHT if same[row, column] else WRONG) if order.known else INK
    cell = max(1, min(24, SIDE // max(shape)))
    pixels = cells[order.rows][:, order.columns].round().astype(np.uint8)
    return pixels.repeat(cell, axis=0).repeat(cell, axis=1)


def ranked_pixels(lists: Sequence[RankedList]) -> Pixels:
    """One ranked list or more as [H, W, 3]: in a row the query and its items, framed by verdict."""
    width, height = TILE[0] + 2 * FRAME, TILE[1] + 2 * FRAME
    longest = max(len(ranked.items) for ranked in lists)
    board = Image.new("RGB", (width * (1 + longest) + GAP, height * len(lists)), PAPER)
    for row, ranked in enumerate(lists):
        board.paste(_framed(ranked.query, PAPER), (0, row * height))
        for place, item in enumerate(ranked.items, start=1):
            tile = _framed(item.track, VERDICTS[item.verdict])
            board.paste(tile, (place * width + GAP, row * height))
    return np.asarray(board, np.uint8)


def _framed(track: Track, colour: tuple[int, int, int]) -> Image.Image:
    """The track's middle frame with a coloured frame; empty where it cannot be read."""
    framed = Image.new("RGB", (TILE[0] + 2 * FRAME, TILE[1] + 2 * FRAME), colour)
    picture = film_image(middle_frame(track)) or Image.new("RGB", TILE, BOARD)
    framed.paste(picture, (FRAME, FRAME))
    return framed
