"""From a trained network and a data set to calibrated thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.folder_scan import Problems
from ..datasets.load import scan_dataset
from ..datasets.registry import dataset_spec
from ..datasets.track import Modality, Track
from ..datasets.transitions import Transitions
from ..datasets.verify import require_complete, verify_dataset
from ..errors import UserError, as_user_error, shorten
from ..evaluation.calibration import CONFIDENCE, Aims
from ..evaluation.directions import FEWEST_PEOPLE, approximate_records, calibrate_people
from ..evaluation.tracklet_pairs import (
    TrackletCalibration,
    calibrate_tracklets,
    overlapping_pairs,
    pairs_too_fast,
)
from ..models.network import Network
from .calibration_file import WHOLE
from .fingerprint import model_fingerprint
from .network import check_frame_size, place
from .options import SessionOptions
from .runtime import Runtime
from .track_features import half_tracks, track_features

DEFAULT_SIZE = 10
Say = Callable[[str], None]


@dataclass(frozen=True)
class Vectors:
    """What is compared in place of the network's features, as an index reduces them.

    Attributes:
        of: features [N, W] to vectors [N, D], both float32.
        dim: numbers D of a vector.
        projection: its fingerprint; thresholds hold for no other.
    """

    of: Callable[[Tensor], Tensor]
    dim: int
    projection: str


@dataclass(frozen=True)
class CalibrationNeeds:
    """What a calibration is asked for.

    Attributes:
        sizes: people in the gallery, N; empty: ten, and as many as there are.
        fmr, fpir: rates that get a threshold.
        rank: candidates that are looked at, R.
        camera_people: a pair of cameras is calibrated where both saw so many people.
        resamplings: of the people, for the intervals.
        transitions: how long the ways between cameras take, where nobody is known; None: unknown.
    """

    sizes: tuple[int, ...] = ()
    fmr: tuple[float, ...] = (0.001, 0.01)
    fpir: tuple[float, ...] = (0.01, 0.1)
    rank: int = 1
    camera_people: int = 30
    resamplings: int = 500
    transitions: Transitions | None = None

    def aims(self, sizes: Sequence[int]) -> Aims:
        """What each direction is asked for.

        Args:
            sizes: people in the gallery.
        """
        return Aims(self.fmr, self.fpir, tuple(sizes), self.rank)


def calibrate_network(
    model: Network,
    meta: dict[str, Any],
    data: SessionOptions,
    needs: CalibrationNeeds,
    say: Say,
    vectors: Vectors | None = None,
) -> dict[str, Any]:
    """Calibrates on the test people of a data set or, where nobody is known, on its tracklets.

    Args:
        model, meta: as ``load_model`` gives them.
        data: the data set, and how its frames are read.
        needs: what is asked for.
        say: tells the person at the keyboard.
        vectors: what is compared; None for the features themselves.

    Returns:
        What ``calibration.json`` holds.

    Raises:
        UserError: too few people, a gallery size beyond them, or no tracklets at one time.
        DatasetError: the data set cannot be read.
    """
    spec = dataset_spec(data.dataset)
    split = spec.reader_options(data.trial)
    scan = scan_dataset(spec, data.data_dir, Problems(), split)
    train, query, gallery = scan.parts()
    test = list({track.key: track for track in (*query, *gallery)}.values())
    known = [track for track in test if track.identity is not None]
    notes: list[str] = []
    names = {track.camera: spec.camera_name(track) for track in [*train, *test]}
    if known:
        if needs.transitions is not None:
            raise UserError(
                f"--transitions tells people apart where nobody is known, but {data.data_dir} has "
                "people with identities outside training; leave it out"
            )
        verification = verify_dataset(spec.name, data.data_dir, **split)
        require_complete(verification, data.allow_incomplete)
        trained = set() if scan.numbered_apart else {track.identity for track in train}
        tracks = [track for track in known if track.identity not in trained]
        if len(tracks) < len(known):
            notes.append(f"{len(known) - len(tracks)} test tracks show people of the training")
        _need_people(tracks, data, needs)
    check_frame_size(model, data)
    runtime = Runtime(data.device, data.precision, data.seed, data.test_precision)
    for note in runtime.notes:
        say(note)
    model = place(model, runtime)

    def features_of(asked: Sequence[Track]) -> tuple[list[Track], Tensor]:
        kept, features = track_features(model, asked, data, runtime, say)
        return kept, features if vectors is None else vectors.of(features)

    record: dict[str, Any] = {
        "fingerprint": model_fingerprint(model, {**meta, "flip": data.flip}),
        "projection": WHOLE if vectors is None else vectors.projection,
        "dim": None if vectors is None else vectors.dim,
        "dataset": spec.name,
        "data_dir": str(data.data_dir.absolute()),
        **split,
        "flip": data.flip,
        "rank": needs.rank,
        "confidence": CONFIDENCE,
        "resamplings": needs.resamplings,
        "seed": data.seed,
        "approximate": not known,
    }
    if known:
        tracks, features = features_of(tracks)
        people = len({track.identity for track in tracks})
        sizes = needs.sizes or _default_sizes(people)
        with as_user_error():
            directions, more = calibrate_people(
                tracks,
                features,
                spec.protocols[0].rule,
                needs.aims(sizes),
                names,
                camera_people=needs.camera_people,
                resamplings=needs.resamplings,
                seed=data.seed,
            )
        record |= {"people": people, "tracks": len(tracks)}
    else:
        everyone = [*train, *test]
        directions, more = _without_identities(everyone, names, data, needs, features_of)
        record |= {"people": None, "tracks": len(train) + len(test)}
    if not any(direction["thresholds"] for direction in directions):
        raise UserError(
            f"no threshold can be given from {data.data_dir}: {'; '.join([*notes, *more])}. "
            "Ask for higher rates (--fpir, --fmr), or calibrate on more people."
        )
    return {**record, "directions": directions, "notes": [*notes, *more]}


def _default_sizes(people: int) -> tuple[int, ...]:
    """Ten, and half and nearly all of the people: every one is left out in turn."""
    return tuple(sorted({min(DEFAULT_SIZE, people - 1), people // 2}))


def _need_people(tracks: Sequence[Track], data: SessionOptions, needs: CalibrationNeeds) -> None:
    """Refuses too few people before a network has run."""
    people = len({track.identity for track in tracks})
    if people < FEWEST_PEOPLE:
        raise UserError(
            f"{data.data_dir} holds {people} people outside training; a calibration needs at least "
            f"{FEWEST_PEOPLE}, and small rates need hundreds. Give a data set with more people in "
            "its test split."
        )
    beyond = [size for size in needs.sizes if size >= people]
    if beyond:
        raise UserError(
            f"--gallery-size {beyond[0]}: {data.data_dir} holds {people} people outside training, "
            f"and one of them is left out of the gallery; give at most {people - 1}"
        )


def _without_identities(
    tracks: Sequence[Track],
    names: Mapping[int, str],
    data: SessionOptions,
    needs: CalibrationNeeds,
    features_of: Callable[[Sequence[Track]], tuple[list[Track], Tensor]],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Records of tracklets of unknown people, and what to know about them."""
    timed = [track for track in tracks if track.times and len(track.frames) > 1]
    notes = [
        "An approximation: nobody says who is who. Different people are tracklets of one camera at "
        "overlapping times, and of two cameras between which the transitions leave no time; one "
        "person is two halves of a tracklet. Misses across cameras and modalities are far more "
        "frequent than halves show."
    ]
    untimed = sum(not track.times for track in tracks)
    if untimed:
        notes.append(f"{untimed} tracklets have no time and are left out")
    pairs = _different_people(timed, names, needs.transitions)
    if not len(pairs):
        raise UserError(
            f"{data.data_dir}: nobody in its test split is known, and no two tracklets of a camera "
            f"overlap in time ({len(tracks) - untimed} of {len(tracks)} have times), so nothing "
            "says which pairs show different people. Give a data set with people outside training, "
            "longer footage, or how long the ways between cameras take (--transitions)."
        )
    whole = features_of(timed)
    halves = [features_of(half) for half in half_tracks(timed)]
    if not len(timed) == len(whole[0]) == len(halves[0][0]) == len(halves[1][0]):
        raise UserError(
            f"{data.data_dir}: some tracklets have frames that cannot be read; remove them"
        )
    kinds = np.array([int(track.modality) for track in timed])
    first, second = kinds[pairs].T
    calibrated = partial(
        calibrate_tracklets,
        aims=needs.aims(needs.sizes or (DEFAULT_SIZE, 100)),
        resamplings=needs.resamplings,
        seed=data.seed,
    )
    found: dict[Modality, TrackletCalibration] = {}
    for modality in Modality:
        mine = pairs[(first == modality) & (second == modality)]
        if not len(mine):
            notes.append(f"{modality.name.lower()}: no two tracklets of a camera overlap in time")
            continue
        rows = np.flatnonzero(kinds == modality)
        own = (halves[0][1][rows], halves[1][1][rows])
        found[modality] = calibrated(whole[1][rows], own, np.searchsorted(rows, mine))
    across = pairs[first != second]
    return approximate_records(
        found, calibrated(whole[1], None, across) if len(across) else None
    ), notes


def _different_people(
    tracks: Sequence[Track], names: Mapping[int, str], transitions: Transitions | None
) -> NDArray[np.int64]:
    """Pairs of tracklets that time rules out to be one person, [M, 2]."""
    cameras = [track.camera for track in tracks]
    starts = [min(track.times) for track in tracks]
    ends = [max(track.times) for track in tracks]
    pairs = overlapping_pairs(cameras, starts, ends)
    if transitions is None:
        return pairs
    unknown = sorted({end for way in transitions.ways for end in way} - set(names.values()))
    if unknown:
        raise UserError(
            f"--transitions names {shorten(unknown)}, which took none of the tracklets; their "
            f"cameras are {shorten(sorted(names.values()))}"
        )
    numbers = {name: number for number, name in names.items()}
    least = {(numbers[a], numbers[b]): way for (a, b), way in transitions.least().items()}
    return np.concatenate([pairs, pairs_too_fast(cameras, starts, ends, least)])
