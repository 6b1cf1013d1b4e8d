"""Thresholds from tracklets of unknown people, held against the true rates of known ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from vireid.datasets import load_dataset
from vireid.datasets.track import Modality, Track
from vireid.engine.checkpoint import find_model, load_model
from vireid.engine.network import place
from vireid.engine.options import SessionOptions
from vireid.engine.runtime import Runtime
from vireid.engine.track_features import half_tracks, track_features
from vireid.evaluation.calibration import Aims, collect_pairs
from vireid.evaluation.comparisons import Comparisons, Sightings
from vireid.evaluation.directions import DIRECTIONS
from vireid.evaluation.pair_rates import false_matches
from vireid.evaluation.protocols import label_arrays
from vireid.evaluation.tracklet_pairs import (
    TrackletCalibration,
    calibrate_tracklets,
    overlapping_pairs,
)

from .table import Table, parser

RATES = (0.001, 0.01, 0.1)
LASTS = 10.0  # seconds of a tracklet


def with_times(tracks: Sequence[Track], together: int, seed: int) -> list[Track]:
    """The tracks at moments drawn so that a camera sees some people at once.

    Args:
        tracks: of any cameras.
        together: so many tracklets of a camera overlap one, on average.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    timed = []
    for track in tracks:
        here = sum(other.camera == track.camera for other in tracks)
        start = rng.random() * here * 2 * LASTS / together
        moments = np.linspace(start, start + LASTS, len(track.frames)).tolist()
        timed.append(replace(track, times=tuple(moments)))
    return timed


def approximate(
    tracks: list[Track], features: Tensor, halves: tuple[Tensor, Tensor], together: int
) -> TrackletCalibration:
    """Thresholds of one modality, without a look at who is who.

    Args:
        tracks: of the modality.
        features: of the whole tracks, [N, D].
        halves: of their halves.
        together: as in :func:`with_times`.
    """
    timed = with_times(tracks, together, 0)
    pairs = overlapping_pairs(
        [track.camera for track in timed],
        [track.times[0] for track in timed],
        [track.times[-1] for track in timed],
    )
    # Nobody is twice in one picture; the drawn moments know nothing of that.
    people = label_arrays(tracks)[0]
    pairs = pairs[people[pairs[:, 0]] != people[pairs[:, 1]]]
    return calibrate_tracklets(features, halves, pairs, Aims(fmr=RATES, sizes=(10,)))


def main() -> None:
    """Runs the comparison."""
    flags = parser(__doc__)
    flags.add_argument("run", type=Path, help="finished run folder")
    flags.add_argument("data_dir", type=Path, help="synthetic set with another set of test people")
    flags.add_argument("--together", type=int, default=6, help="people that a camera sees at once")
    given = flags.parse_args()
    model, meta = load_model(find_model(given.run))
    stored = {n: meta[n] for n in ("img_h", "img_w", "test_resize", "test_frames", "flip")}
    options = SessionOptions(
        dataset=meta["dataset"], data_dir=given.data_dir, workers=0, device="cpu", **stored
    )
    runtime = Runtime("cpu", "fp32")
    model = place(model, runtime)
    dataset = load_dataset(meta["dataset"], given.data_dir)
    tracks = [track for track in (*dataset.query, *dataset.gallery) if len(track.frames) > 1]

    def features_of(asked: Sequence[Track]) -> Tensor:
        return track_features(model, asked, options, runtime, print)[1]

    features = features_of(tracks)
    first, second = (features_of(half) for half in half_tracks(tracks))
    people, cameras = label_arrays(tracks)
    kinds = np.array([int(track.modality) for track in tracks])
    table = Table("unknown_people", torch.device("cpu"))
    found = {}
    for modality in Modality:
        rows = np.flatnonzero(kinds == modality)
        mine = [tracks[row] for row in rows]
        halves = (first[rows], second[rows])
        found[modality] = approximate(mine, features[rows], halves, given.together)
        one = found[modality]
        table.remark(
            f"{modality.name.lower()}: {one.tracklets} tracklets, {one.nonmated} pairs of one "
            f"camera at one time (moments drawn so that about {given.together} overlap)."
        )
    everyone = Sightings(features, people, cameras)
    lines = ["| direction | asked FMR | threshold | true FMR | FNMR of halves | true FNMR |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for asking, ranked in DIRECTIONS:
        sides = everyone.of(kinds == asking), everyone.of(kinds == ranked)
        comparisons = Comparisons(*sides, "standard")
        mated = collect_pairs(comparisons, 0.0)[0]
        pairs = zip(found[asking].points, found[ranked].points)
        points = [max(pair, key=lambda point: point.threshold) for pair in pairs]
        wrong = false_matches(comparisons, [point.threshold for point in points], [])
        for point, rate in zip(points, wrong.rates):
            halves_missed = f"{point.fnmr:.2%}" if asking == ranked else "-"
            lines.append(
                f"| {asking.name.lower()} to {ranked.name.lower()} | {point.aimed:.1%} "
                f"| {point.threshold:.4f} | {rate:.3%} | {halves_missed} "
                f"| {mated.missed([point.threshold])[0]:.1%} |"
            )
    table.remark("\n".join(lines))
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
