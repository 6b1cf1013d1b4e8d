"""What clusters confuse: cameras, or clothing?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..datasets.frames import UnreadableFrame, decode_whole
from ..datasets.track import Modality, Track
from ..pseudo_labels.stored_clustering import StoredClustering

Integers = NDArray[np.int64]
MOST_TRACKS = 600  # whose frames are opened for their colours
MOST_PAIRS = 20_000
# Trunk and legs, as shares of a frame's width and height.
TRUNK, LEGS = (0.3, 0.2, 0.7, 0.5), (0.3, 0.55, 0.7, 0.9)


@dataclass(frozen=True)
class PairKind:
    """Pairs of tracks of one modality that are alike in cluster and person, or not.

    Attributes:
        name: which pairs.
        pairs: how many.
        same_camera: share of them seen by one camera; NaN without pairs.
        colour: median difference of the clothing's mean colour, in grey levels of 255; None where
            no frame was to be read.
    """

    name: str
    pairs: int
    same_camera: float
    colour: float | None


def pair_kinds(
    clustering: StoredClustering, modality: Modality, colours: NDArray[np.float64] | None = None
) -> list[PairKind]:
    """Counts four kinds of pairs among the clustered tracks of a modality.

    Args:
        clustering: with identities.
        modality: which tracks.
        colours: [N, C] clothing colours of all tracks, NaN where unknown.

    Returns:
        One cluster and one person; one cluster, two people (confused); two clusters, one person
        (torn apart); two people, whatever their clusters (chance). Empty without identities.
    """
    if clustering.identities is None:
        return []
    rows = clustering.of(modality)
    rows = rows[clustering.labels[rows] >= 0]
    cluster, person = clustering.labels[rows], clustering.identities[rows]
    camera = clustering.cameras[rows]
    every = np.zeros_like(rows)
    alike = {"all": (every,), "cluster": (cluster,), "person": (person,), "both": (cluster, person)}
    pairs = {name: _pairs(*keys) for name, keys in alike.items()}
    near = {name: _pairs(*keys, camera) for name, keys in alike.items()}

    def colour(kind: str) -> float | None:
        return None if colours is None else _colour(cluster, person, colours[rows], kind)

    kinds = []
    for name, plus, minus in (
        ("one cluster, one person", "both", None),
        ("one cluster, two people: confused", "cluster", "both"),
        ("two clusters, one person: torn apart", "person", "both"),
        ("any two people: chance", "all", "person"),
    ):
        count = pairs[plus] - (pairs[minus] if minus else 0)
        close = near[plus] - (near[minus] if minus else 0)
        kinds.append(PairKind(name, count, close / count if count else math.nan, colour(name)))
    return kinds


def verdict(kinds: Sequence[PairKind]) -> str:
    """One sentence: whether confused pairs share a camera, or colours, more often than chance."""
    if not kinds:
        return ""
    confused, chance = kinds[1], kinds[3]
    if not confused.pairs or not chance.pairs:
        return "no two people share a cluster."
    near, by_chance = confused.same_camera, chance.same_camera
    texts = [f"share a camera in {near:.0%} of the pairs (chance {by_chance:.0%})"]
    misleading = [near - by_chance > max(0.05, 0.2 * by_chance)]
    if confused.colour is not None and chance.colour is not None:
        colour = f"differ in colour by {confused.colour:.0f} grey levels"
        texts.append(f"{colour} (chance {chance.colour:.0f})")
        misleading.append(confused.colour < 0.85 * chance.colour)
    texts = [
        text + ", so that misleads the clusters" * more for text, more in zip(texts, misleading)
    ]
    return "people whom a cluster confuses " + "; they ".join(texts) + "."


def clothing_colours(tracks: Sequence[Track]) -> NDArray[np.float64] | None:
    """Mean colours of trunk and legs in a track's middle frame, visible tracks only.

    Args:
        tracks: all tracks; of more than 600 visible ones a random part is read.

    Returns:
        [N, 6] red, green, blue of trunk and of legs, 0 to 255, NaN where not read; None if no
        frame could be read.
    """
    result = np.full((len(tracks), 6), math.nan)
    rows = [n for n, t in enumerate(tracks) if t.modality == Modality.VISIBLE and t.frames]
    if len(rows) > MOST_TRACKS:
        rows = np.random.default_rng(0).choice(rows, MOST_TRACKS, replace=False).tolist()
    for row in rows:
        frames = tracks[row].frames
        try:
            whole = Image.fromarray(decode_whole(frames[len(frames) // 2]))
        except UnreadableFrame:
            continue
        picture = whole.resize((20, 40), Image.Resampling.BOX)
        boxes = [
            (round(20 * left), round(40 * top), round(20 * right), round(40 * bottom))
            for left, top, right, bottom in (TRUNK, LEGS)
        ]
        values = [np.asarray(picture.crop(box)).reshape(-1, 3).mean(0) for box in boxes]
        result[row] = np.concatenate(values)
    return None if np.isnan(result).all() else result


def _pairs(*keys: Integers) -> int:
    """Unordered pairs of samples that agree in all keys."""
    if not len(keys[0]):
        return 0
    counts = np.unique(np.stack(keys), axis=1, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _colour(
    cluster: Integers, person: Integers, colours: NDArray[np.float64], kind: str
) -> float | None:
    known = np.flatnonzero(~np.isnan(colours[:, 0]))
    left, right = np.triu_indices(len(known), 1)
    one, two = known[left], known[right]
    same_cluster, same_person = cluster[one] == cluster[two], person[one] == person[two]
    chosen = {
        "one cluster, one person": same_cluster & same_person,
        "one cluster, two people: confused": same_cluster & ~same_person,
        "two clusters, one person: torn apart": ~same_cluster & same_person,
    }.get(kind, ~same_person)
    places = np.flatnonzero(chosen)
    if not len(places):
        return None
    places = places[:: max(1, len(places) // MOST_PAIRS)]
    difference = colours[one[places]] - colours[two[places]]
    return float(np.median(np.sqrt((difference**2).mean(1))))
