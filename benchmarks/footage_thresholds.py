"""Thresholds of ``vireid calibrate`` on unknown people of a rendered scene, against the truth.

    python -m benchmarks.footage_thresholds SCENE CROPS INDEX CALIBRATION

The index is of the crops, with whole vectors (``--dim 0``); the calibration is the folder that
holds ``calibration.json``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from vireid.datasets.track import Modality
from vireid.engine.calibration_file import read_calibration
from vireid.retrieval.conditions import Filter
from vireid.retrieval.index_folder import open_index

from .footage_answers import Truth, name_of, people_of


def true_rates(
    index: Path, truth: Truth, modalities: tuple[Modality, Modality], threshold: float
) -> tuple[float, float]:
    """FMR and FNMR of all pairs of tracklets; within a modality across cameras only.

    Args:
        index: with a vector of each tracklet.
        truth: who each tracklet shows; those that show nobody are left out.
        modalities: of query and candidate.
        threshold: scores from it on match.
    """
    sides = [_side(index, truth, modality) for modality in modalities]
    scores = sides[0][0] @ sides[1][0].T
    same = sides[0][1][:, None] == sides[1][1]
    apart = sides[0][2][:, None] != sides[1][2]
    return float((scores >= threshold)[~same & apart].mean()), float(
        (scores < threshold)[same & apart].mean()
    )


def _side(
    index: Path, truth: Truth, modality: Modality
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.str_]]:
    """Vectors, people and cameras of one modality."""
    store = open_index(index).store
    keys, vectors = store.vectors(Filter(modality=modality).condition(), store.count() or 1)
    names = [name_of(key) for key in keys]
    known = [place for place, name in enumerate(names) if truth[name] is not None]
    people = np.array([truth[names[place]] for place in known], np.int64)
    cameras = np.array([names[place][0] for place in known])
    return vectors[known].astype(np.float32), people, cameras


def main() -> None:
    """Prints a row for each direction and rate."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("scene", "crops", "index", "calibration"):
        flags.add_argument(name, type=Path)
    given = flags.parse_args()
    truth = people_of(given.scene, given.crops)
    record = read_calibration(given.calibration)
    if record is None:
        raise SystemExit(f"{given.calibration} holds no calibration.json")
    print("| direction | asked FMR | threshold | true FMR | FNMR of halves | true FNMR |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for direction in record["directions"]:
        names = direction["query"], direction["gallery"]
        asked = {point["aimed"]: point for point in direction["thresholds"]}
        for aimed, point in sorted(asked.items()):
            first, second = (Modality[name.upper()] for name in names)
            wrong, lost = true_rates(given.index, truth, (first, second), point["threshold"])
            halves = "-" if point["fnmr"] is None else f"{point['fnmr']:.1%}"
            print(
                f"| {' to '.join(names)} | {aimed:.1%} | {point['threshold']:.4f} | {wrong:.2%} "
                f"| {halves} | {lost:.0%} |"
            )


if __name__ == "__main__":
    main()
