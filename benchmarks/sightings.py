"""What several centres gain at the first matching, by how often each person was seen."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from vireid.clustering.dense_labels import dense_labels
from vireid.clustering.subclusters import subcluster_centres
from vireid.datasets.track import Modality
from vireid.memory import cluster_means
from vireid.mmm.matching import match, matching_cost
from vireid.pseudo_labels.labelling import DegenerateClustering, intra_modality_labels

from .right_matches import Clusters
from .table import Table
from .world import World, world_flags, world_of

Labels = NDArray[np.int64]
# Of features [N, D], labels and cameras [N], and a seed: centres [C, K, D].
Centres = Callable[[Tensor, Labels, Labels, int], Tensor]


def by_k_means(features: Tensor, labels: Labels, cameras: Labels, seed: int, *, k: int) -> Tensor:
    """K centres of each cluster, as stage two learns them."""
    return subcluster_centres(features, labels, k, seed=seed)[0]


def by_camera(features: Tensor, labels: Labels, cameras: Labels, seed: int) -> Tensor:
    """The mean of each camera, and the cluster's own where a camera has not seen it."""
    means = cluster_means(features, labels)
    centres = means[:, None].repeat(1, len(np.unique(cameras)), 1)
    for place, camera in enumerate(np.unique(cameras)):
        seen = labels[cameras == camera]
        if (seen >= 0).any():
            rows = cluster_means(features[cameras == camera], dense_labels(seen))
            centres[np.unique(seen[seen >= 0]), place] = rows
    return centres


def mean_and_hardest(features: Tensor, labels: Labels, cameras: Labels, seed: int) -> Tensor:
    """The mean, and the member that is least like it."""
    means = cluster_means(features, labels)
    likeness = (features * means[torch.from_numpy(labels.clip(0))]).sum(1).numpy()
    order = np.lexsort((likeness, labels))
    order = order[labels[order] >= 0]
    hardest = order[np.unique(labels[order], return_index=True)[1]]
    return torch.stack([means, features[torch.from_numpy(hardest)]], 1)


CENTRES: Mapping[str, Centres] = {
    **{f"K = {k}": partial(by_k_means, k=k) for k in (1, 2, 4, 8)},
    "one a camera": by_camera,
    "mean and hardest": mean_and_hardest,
}
PLAIN = "K = 1"


def some_sightings(world: World, count: int, seed: int) -> Labels:
    """Rows of at most so many tracklets of each person in each modality, drawn."""
    order = np.random.default_rng(seed).permutation(len(world.people))
    kinds = world.people[order] * len(Modality) + world.modalities[order]
    by_kind = order[np.argsort(kinds, kind="stable")]
    sizes = np.unique(kinds, return_counts=True)[1]
    place = np.concatenate([np.arange(size) for size in sizes])
    return np.sort(by_kind[place < count])


def clusters_of(world: World, rows: Labels, count: int, true: bool) -> Labels:
    """Clusters [n] within each modality: people, or found as stage two finds them.

    They are found among as many neighbours as a person has sightings, at least the recipe's.

    Raises:
        DegenerateClustering: next to nothing was found.
    """
    modalities = world.modalities[rows]
    if not true:
        return intra_modality_labels(
            world.features[torch.from_numpy(rows)],
            modalities,
            replace(world.settings, k1=max(world.settings.k1, count)),
            cameras=world.cameras[rows],
        )
    labels = np.empty(len(rows), np.int64)
    for modality in Modality:
        labels[modalities == modality] = dense_labels(world.people[rows][modalities == modality])
    return labels


def right_share(clusters: Clusters, centres: Centres, matcher: str, seed: int) -> float:
    """Share of the visible clusters that are matched with one of the same person, by majority."""
    sides = zip(clusters.rows, clusters.labels, clusters.cameras, strict=True)
    found = [centres(*side, seed) for side in sides]
    cost = matching_cost(*found, variant=clusters.settings.cost)
    return float(clusters.right(match(cost, matcher)).mean())


@dataclass(frozen=True)
class Tried:
    """One draw of the sightings.

    Attributes:
        tracklets: mean number in a cluster, of either modality.
        clusters: visible ones.
        right: share of them that is matched rightly, by kind of centres.
    """

    tracklets: float
    clusters: int
    right: dict[str, float]

    def gain(self, centres: str) -> float:
        """Points over one centre."""
        return 100 * (self.right[centres] - self.right[PLAIN])


def trials(world: World, count: int, true: bool, matcher: str, draws: int) -> list[Tried]:
    """Draws of so many sightings, clustered and matched; without those where nothing was found."""
    found = []
    for seed in range(draws):
        rows = some_sightings(world, count, seed)
        try:
            clusters = Clusters(world.only(rows, clusters_of(world, rows, count, true)))
        except DegenerateClustering:
            continue
        sizes = np.concatenate([side.sizes for side in clusters.people])
        right = {
            name: right_share(clusters, centres, matcher, seed) for name, centres in CENTRES.items()
        }
        found.append(Tried(sizes.mean(), len(clusters.people[0].sizes), right))
    return found


def line(worlds: Sequence[World], count: int, true: bool, matcher: str, draws: int) -> str:
    """One row of the table: K = 1, and what the others gain over it on the same draws.

    The spread is that of the means of the worlds, or of the draws where there is one world.
    """
    per_world = [trials(world, count, true, matcher, draws) for world in worlds]
    per_world = [found for found in per_world if found]
    kind = "people" if true else "found"
    if not per_world:
        return f"| {count} | {kind} | {' | '.join(['none', *['-'] * (len(CENTRES) + 1)])} |"
    groups = per_world if len(per_world) > 1 else [[one] for one in per_world[0]]
    gains = [
        _spread([mean(one.gain(name) for one in group) for group in groups])
        for name in CENTRES
        if name != PLAIN
    ]
    every = [one for found in per_world for one in found]
    tracklets, clusters = mean(one.tracklets for one in every), mean(one.clusters for one in every)
    plain = mean(one.right[PLAIN] for one in every)
    cells = [f"{tracklets:.1f}", f"{clusters:.0f}", f"{plain:.0%}", *gains]
    return f"| {count} | {kind} | {' | '.join(cells)} |"


def _spread(values: list[float]) -> str:
    return f"{mean(values):+.1f} ± {stdev(values) if len(values) > 1 else 0.0:.1f}"


def _flags() -> ArgumentParser:
    flags = world_flags(__doc__)
    flags.add_argument(
        "--also",
        nargs=2,
        action="append",
        default=[],
        type=Path,
        metavar=("BASELINE", "DATA_DIR"),
        help="another draw of people; may be repeated",
    )
    flags.add_argument("--sightings", default="3,6,12,24,60", help="of a person in each modality")
    flags.add_argument("--matcher", default="one-to-one")
    flags.add_argument("--draws", type=int, default=10, help="draws of the sightings")
    return flags


def main() -> None:
    """Draws sightings, clusters, matches and tabulates."""
    given = _flags().parse_args()
    places = [(given.baseline, given.data_dir), *given.also]
    worlds = [
        world_of(Namespace(baseline=run, data_dir=data, config=given.config))
        for run, data in places
    ]
    table = Table("sightings", torch.device("cpu"))
    head = ["sightings", "clusters", "tracklets in one", "visible clusters", f"right, {PLAIN}"]
    head += [f"{name}: over it, points" for name in CENTRES if name != PLAIN]
    lines = [f"| {' | '.join(head)} |", f"|{' ---: | --- |' + ' ---: |' * (len(head) - 2)}"]
    for true in (True, False):
        for count in map(int, given.sightings.split(",")):
            lines.append(line(worlds, count, true, given.matcher, given.draws))
    table.remark("\n".join(lines))
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
