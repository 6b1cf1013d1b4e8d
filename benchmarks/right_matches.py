"""Share of right matches by number of centres, cost and matcher, on features of stage one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vireid.datasets import load_dataset
from vireid.datasets.track import Modality
from vireid.engine.published_checkpoint import read_network
from vireid.engine.runtime import Runtime
from vireid.engine.track_features import part_of, track_features
from vireid.mmm.match_clusters import cost_of_clusters
from vireid.mmm.matching import UNMATCHED, match
from vireid.pseudo_labels.labelling import clustering_features
from vireid.pseudo_labels.majority import majorities

from .table import Table
from .world import World, world_flags, world_of

HEAD = ("centres", "cost", "matcher", "clusters matched", "of them right", "of all right")
COSTS: tuple[Literal["paper", "symmetric"], ...] = ("paper", "symmetric")
MATCHERS = ("one-to-one", "nearest", "adaptive")


class Clusters:
    """Clusters of both modalities, and whom they show.

    Args:
        world: stage one's view of the training tracks.
        parts: [P * N, D] features of the tracks' first parts, then of the second; the points among
            which centres are found. None: the tracks themselves.
    """

    def __init__(self, world: World, parts: Tensor | None = None) -> None:
        points = world.features if parts is None else parts
        times = len(points) // len(world.labels)
        unit = torch.nn.functional.normalize(points, dim=1)
        sides = [world.modalities == modality for modality in Modality]
        self.rows = [unit[torch.from_numpy(np.tile(side, times))] for side in sides]
        self.labels = [np.tile(world.labels[side], times) for side in sides]
        self.people = [majorities(world.labels[side], world.people[side]) for side in sides]
        self.cameras = [world.cameras[side] for side in sides]
        self.settings = world.settings

    def describe(self) -> str:
        """How many there are, and how large."""
        sizes = [float(side.sizes.mean()) for side in self.people]
        seen = set(self.people[0].values) & set(self.people[1].values)
        return (
            f"{len(self.people[0].sizes)} visible clusters of {sizes[0]:.1f} tracklets, "
            f"{len(self.people[1].sizes)} infrared ones of {sizes[1]:.1f}; {len(seen)} people "
            "have clusters of both"
        )

    def cost(self, centres: int, cost: Literal["paper", "symmetric"], seed: int) -> Tensor:
        """[V, I] float64."""
        options = replace(self.settings, memories=centres, cost=cost)
        return cost_of_clusters(self.rows, self.labels, options, seed)

    def right(self, assignment: Tensor) -> NDArray[np.bool_]:
        """[V], whether a visible cluster's partner shows the same person, by majority."""
        partner = assignment.numpy()
        same = self.people[0].values == self.people[1].values[partner]
        return (partner != UNMATCHED) & same


def part_features(world: World, parts: int) -> Tensor:
    """Features of each track cut into parts of as many frames, by stage one's network.

    Args:
        world: stage one's view of the training tracks.
        parts: P; together they show as many frames as the recipe takes of a track.

    Returns:
        [P * N, D] as they are clustered.
    """
    assert world.settings.baseline is not None
    model, _ = read_network(world.settings.baseline)
    tracks = load_dataset(world.settings.dataset, world.settings.data_dir).train
    frames = max(1, world.settings.test_frames // parts)
    mirrored = world.settings.flip and world.settings.cluster_flip
    options = replace(world.settings, test_frames=frames, flip=mirrored, workers=0)
    runtime = Runtime("cpu", "fp32")
    found = [
        track_features(
            model, [part_of(track, parts, p) for track in tracks], options, runtime, print
        )
        for p in range(parts)
    ]
    cameras = np.tile(world.cameras, parts)
    return clustering_features(torch.cat([each for _, each in found]), cameras, world.settings)


def rates(clusters: Clusters, centres: Sequence[int], starts: int) -> list[str]:
    """Lines of the table: means over the starts of the K-means."""
    lines = []
    for count in centres:
        for cost in COSTS if count > 1 else COSTS[:1]:
            costs = [clusters.cost(count, cost, seed) for seed in range(starts)]
            for matcher in MATCHERS:
                found = [match(one, matcher) for one in costs]
                matched = np.array([int((one != UNMATCHED).sum()) for one in found])
                right = np.array([int(clusters.right(one).sum()) for one in found])
                of_them = (right / np.maximum(matched, 1)).mean()
                of_all = (right / len(found[0])).mean()
                lines.append(
                    f"| {count} | {cost} | {matcher} | {matched.mean():.1f} | {of_them:.0%} "
                    f"| {of_all:.0%} |"
                )
    return lines


def main() -> None:
    """Matches and tabulates."""
    flags = world_flags(__doc__)
    flags.add_argument("--centres", default="1,2,4,8", help="numbers of centres, K")
    flags.add_argument("--starts", type=int, default=10, help="seeds of the K-means")
    flags.add_argument("--parts", type=int, help="find centres among so many parts of each track")
    given = flags.parse_args()
    world = world_of(given)
    clusters = Clusters(world, part_features(world, given.parts) if given.parts else None)
    table = Table("right_matches", torch.device("cpu"))
    centres = [int(count) for count in given.centres.split(",")]
    rows = "\n".join(rates(clusters, centres, given.starts))
    head = f"| {' | '.join(HEAD)} |\n| ---: | --- | --- | ---: | ---: | ---: |"
    table.remark(f"{clusters.describe()}\n\n{head}\n{rows}")
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
