"""Share of right matches by number of centres, cost and matcher, on features of stage one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vireid.datasets.track import Modality
from vireid.mmm.match_clusters import cost_of_clusters
from vireid.mmm.matching import UNMATCHED, match
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
    """

    def __init__(self, world: World) -> None:
        unit = torch.nn.functional.normalize(world.features, dim=1)
        sides = [world.modalities == modality for modality in Modality]
        self.rows = [unit[torch.from_numpy(side)] for side in sides]
        self.labels = [world.labels[side] for side in sides]
        self.people = [
            majorities(labels, world.people[side])
            for labels, side in zip(self.labels, sides, strict=True)
        ]
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
    given = flags.parse_args()
    clusters = Clusters(world_of(given))
    table = Table("right_matches", torch.device("cpu"))
    centres = [int(count) for count in given.centres.split(",")]
    rows = "\n".join(rates(clusters, centres, given.starts))
    head = f"| {' | '.join(HEAD)} |\n| ---: | --- | --- | ---: | ---: | ---: |"
    table.remark(f"{clusters.describe()}\n\n{head}\n{rows}")
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
