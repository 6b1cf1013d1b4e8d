"""Galleries that are drawn from a test split: seeded ones, and SYSU-MM01's fixed permutations."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..datasets.track import Track
from ..reading import check_regular, is_count

LARGEST = 1 << 28  # bytes of a file of permutations
Permutations = Mapping[tuple[int, int], np.ndarray]


def seeded_gallery(tracks: Sequence[Track], shots: int, trial: int) -> list[int]:
    """The gallery of one trial as the released evaluators of SYSU-MM01 and LLCM draw it.

    Python's generator is seeded with the trial's number. For each identity in rising order and each
    of its cameras in rising order it draws ``shots`` of the sorted images. The draws follow each
    other, so another set of cameras gives other images on the cameras that both share.

    Args:
        tracks: candidates with identities; file order does not matter, keys are sorted.
        shots: images of each identity and camera. Where there are fewer, all are taken (the
            released code stops there).
        trial: seed, from 0.

    Returns:
        Positions in ``tracks``, in the order of the draws.
    """
    generator = random.Random(trial)
    chosen = []
    for positions in _by_identity_and_camera(tracks).values():
        chosen += generator.sample(positions, min(shots, len(positions)))
    return chosen


def official_gallery(
    tracks: Sequence[Track], shots: int, trial: int, permutations: Permutations
) -> list[int]:
    """The gallery of one trial from the data set's own permutations.

    Args:
        tracks: candidates with identities; a file's name is its image number (``0005.jpg`` is 5).
        shots: the first so many numbers of a permutation are taken.
        trial: row of the permutations, from 1.
        permutations: of ``read_permutations``.

    Returns:
        Positions in ``tracks``, by identity, then camera, then place in the permutation.

    Raises:
        ValueError: the permutations do not fit the images at hand.
    """
    chosen = []
    for (identity, camera), positions in _by_identity_and_camera(tracks).items():
        rows = permutations.get((camera, identity))
        if rows is None or not 1 <= trial <= len(rows):
            found = "none" if rows is None else f"{len(rows)} of them"
            raise ValueError(
                f"official gallery, trial {trial}: expected a permutation of the "
                f"{len(positions)} images of identity {identity} by camera {camera}, found "
                f"{found}. The file of permutations belongs to another copy of the data set; "
                "take the one that was published with it, or --gallery seeded."
            )
        by_number = {_image_number(tracks[position]): position for position in positions}
        wanted = rows[trial - 1][:shots].tolist()
        missing = [number for number in wanted if number not in by_number]
        if missing:
            raise ValueError(
                f"official gallery, trial {trial}: image {missing[0]} of identity {identity} by "
                f"camera {camera} is not among the {len(positions)} images of this copy. The "
                "official galleries need the complete data set (`vireid verify` lists what is "
                "missing); --gallery seeded draws from what is there."
            )
        chosen += [by_number[number] for number in wanted]
    return chosen


def read_permutations(path: Path) -> dict[tuple[int, int], np.ndarray]:
    """Reads SYSU-MM01's ``rand_perm_cam.mat``.

    Args:
        path: the MATLAB file, a cell for each camera of cells for each identity of matrices
            [trials, images] of image numbers from 1.

    Returns:
        (camera, identity), both from 1 → int64 [trials, images]; pairs without images left out.

    Raises:
        ValueError: the file is missing or something else; the message says where it comes from.
    """
    source = (
        "It is `rand_perm_cam.mat` of the SYSU-MM01 evaluation kit (its folder `data_split`). "
        "Without it, use --gallery seeded."
    )
    if not path.is_file():
        raise ValueError(f"--gallery official needs {path}, which is not there. {source}")
    from scipy.io import loadmat  # slow, and few need it

    try:
        check_regular(path, LARGEST)
        cameras = loadmat(path)["rand_perm_cam"].ravel()
        return {
            (camera, identity): rows.astype(np.int64)
            for camera, cells in enumerate(cameras, start=1)
            for identity, rows in enumerate(cells.ravel(), start=1)
            if rows.size
        }
    # What the reader makes of foreign bytes: its own errors, and those of unpacking.
    except Exception as error:
        raise ValueError(
            f"{path} does not hold the cells `rand_perm_cam` ({type(error).__name__}: {error}). "
            f"{source}"
        ) from error


def _by_identity_and_camera(tracks: Sequence[Track]) -> dict[tuple[int, int], list[int]]:
    """Positions of each identity and camera, both rising, each list sorted by the tracks' keys."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for position in sorted(range(len(tracks)), key=lambda position: tracks[position].key):
        track = tracks[position]
        if track.identity is None:
            raise ValueError(f"{track.key} has no identity, so no gallery can be drawn")
        groups[track.identity, track.camera].append(position)
    return {pair: groups[pair] for pair in sorted(groups)}


def _image_number(track: Track) -> int:
    stem = track.frames[0].stem
    if not is_count(stem):
        raise ValueError(
            f"official gallery: expected a number as file name, as in 0005.jpg; found "
            f"{track.frames[0].name} ({track.key})"
        )
    return int(stem)
