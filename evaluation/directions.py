"""Calibration of every direction of modalities and, where people suffice, of pairs of cameras."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from ..datasets.spec import Rule
from ..datasets.track import Modality, Track
from .calibration import Aims, OperatingPoint, calibrate
from .comparisons import Comparisons, Sightings
from .protocols import label_arrays
from .tracklet_pairs import TrackletCalibration

# Fewer people than this show no rate: with none of ten in error, up to 30 % are likely.
FEWEST_PEOPLE = 10
DIRECTIONS = tuple(
    sorted(itertools.product(Modality, Modality), key=lambda pair: (pair[0] == pair[1], pair))
)


def calibrate_people(
    tracks: Sequence[Track],
    features: Tensor,
    rule: Rule,
    aims: Aims,
    names: Mapping[int, str],
    *,
    camera_people: int = 30,
    resamplings: int = 500,
    seed: int = 0,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Errors of each direction, from tracks of known people.

    Tracks of one modality are compared across cameras only: two sightings by one camera are mostly
    minutes apart and say little.

    Args:
        tracks: N, of people who were not trained on.
        features: [N, D], unit rows.
        rule: which comparisons across modalities the data set's cameras leave out.
        aims: what thresholds are wanted for.
        names: of the cameras, by number.
        camera_people: a pair of cameras is calibrated where both saw so many people.
        resamplings: of the people.
        seed: of the resamplings.

    Returns:
        A record for each direction and pair of cameras; sentences about what is left out.
    """
    people, cameras = label_arrays(tracks)
    modalities = np.array([int(track.modality) for track in tracks])
    everyone = Sightings(features, people, cameras)
    records: list[dict[str, Any]] = []
    notes: list[str] = []
    for asking, ranked in DIRECTIONS:
        query, gallery = everyone.of(modalities == asking), everyone.of(modalities == ranked)
        within = "standard" if asking == ranked else rule
        name = f"{asking.name.lower()} query, {ranked.name.lower()} gallery"
        both = _mated_people(query, gallery, within)
        if both < FEWEST_PEOPLE:
            notes.append(
                f"{name}: {both} people can be found again, at least {FEWEST_PEOPLE} are needed"
            )
            continue
        direction = {"query": asking.name.lower(), "gallery": ranked.name.lower()}
        comparisons = Comparisons(query, gallery, within)
        found = calibrate(comparisons, aims, resamplings=resamplings, seed=seed)
        records.append({**direction, **_cameras(None, None), **found.record()})
        if not found.points:
            notes.append(f"{name}: no threshold; {'; '.join(found.unreachable) or 'too few'}")
        left = 0
        for a, b in itertools.product(np.unique(query.cameras), np.unique(gallery.cameras)):
            seen = query.of(query.cameras == a), gallery.of(gallery.cameras == b)
            if (asking == ranked and a == b) or _mated_people(*seen, within) < camera_people:
                left += asking != ranked or a != b
                continue
            pair = calibrate(
                Comparisons(*seen, within), aims, resamplings=resamplings, seed=seed
            ).record()
            del pair["curve"]
            records.append({**direction, **_cameras(names[int(a)], names[int(b)]), **pair})
        if left:
            notes.append(
                f"{name}: {left} pairs of cameras are left out, because fewer than "
                f"{camera_people} people were seen by both"
            )
    return records, notes


def approximate_records(
    found: Mapping[Modality, TrackletCalibration], across: TrackletCalibration | None = None
) -> list[dict[str, Any]]:
    """The same records from what tracklets of unknown people show.

    Where no pairs across modalities are known, these borrow the higher threshold of the two
    modalities and its false-match rate: on synthetic people the true one was far below that.

    Args:
        found: of each modality that has pairs of different people.
        across: of such pairs across the modalities; the same in both directions.
    """
    records = []
    for asking, ranked in DIRECTIONS:
        title = {
            **{"query": asking.name.lower(), "gallery": ranked.name.lower()},
            **_cameras(None, None),
        }
        one = found.get(asking) if asking == ranked else across
        if one is not None:
            records.append(
                {
                    **title,
                    "borrowed": False,
                    "counts": {
                        "tracklets": one.tracklets,
                        "mated": one.mated,
                        "nonmated": one.nonmated,
                    },
                    "thresholds": [asdict(point) for point in one.points],
                    "curve": one.curve,
                    "unreachable": one.unreachable,
                }
            )
        elif asking != ranked and len(found) == len(Modality):
            points = _borrowed([found[kind].points for kind in Modality])
            records.append(
                {**title, "borrowed": True, "counts": {}, "thresholds": points, "unreachable": []}
            )
    return records


def _borrowed(sides: Sequence[Sequence[OperatingPoint]]) -> list[dict[str, Any]]:
    """The point of the higher threshold for each rate and size that all sides have."""
    by_aim = [{(point.gallery_size, point.aimed): point for point in points} for points in sides]
    chosen = [
        max((side[aim] for side in by_aim), key=lambda point: point.threshold)
        for aim in by_aim[0]
        if all(aim in side for side in by_aim)
    ]
    points = [asdict(point) | {"fnmr": None} for point in chosen]
    for point in points:
        del point["intervals"]["fnmr"]
    return points


def _cameras(query: str | None, gallery: str | None) -> dict[str, str | None]:
    return {"query_camera": query, "gallery_camera": gallery}


def _mated_people(query: Sightings, gallery: Sightings, rule: Rule) -> int:
    """How many people have a mated comparison."""
    if not len(query) or not len(gallery):
        return 0
    return Comparisons(query, gallery, rule).mated_people
