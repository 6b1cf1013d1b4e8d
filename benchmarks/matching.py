"""Sub-clusters and matching beside one scikit-learn K-means a cluster and looped distances."""

from __future__ import annotations

import torch
from torch import Tensor
from vireid.clustering.subclusters import subcluster_centres
from vireid.mmm.matching import match, matching_cost

from . import plain
from .measure import Measured, measure, together
from .people import people
from .table import Table, devices, parser

K = 4
REPEAT = 3
STARTS = 10  # as many as ours
CPU = torch.device("cpu")
Side = tuple[Tensor, Tensor]


def side(clusters: int, rows: int, width: int, seed: int) -> Side:
    """Features of one modality and clusters of nearly equal size that follow the identities."""
    features, identity, _ = people(rows, width, seed)
    order = identity.argsort(stable=True)
    return features[order], torch.arange(rows) * clusters // rows


def learn_and_match(visible: Side, infrared: Side) -> tuple[Tensor, Tensor, Tensor]:
    """Centres of both sides and the match."""
    left, right = (subcluster_centres(*one, K)[0] for one in (visible, infrared))
    return left, right, match(matching_cost(left, right))


def inertia(one: Side, centres: Tensor) -> float:
    """Squared distances of the rows to the nearest centre of their cluster, summed."""
    total = 0.0
    for cluster, own in enumerate(centres):
        rows = one[0][one[1] == cluster]
        total += float(torch.cdist(rows.double(), own.double()).amin(1).square().sum())
    return total


def compare(table: Table, clusters: int, rows: tuple[int, int], width: int) -> None:
    """Ours beside the loops."""
    device = table.device
    visible, infrared = (side(clusters, n, width, seed) for seed, n in enumerate(rows))
    table.section(
        f"{clusters} x {clusters} clusters, K = {K}, {rows[0]:,} + {rows[1]:,} rows of {width}"
    )
    given = [tuple(part.to(device) for part in one) for one in (visible, infrared)]
    learn_and_match(*given)  # type: ignore[arg-type]
    ours = measure(lambda: learn_and_match(*given), device, repeat=REPEAT)  # type: ignore[arg-type]

    def learn(one: Side, starts: int) -> Measured[tuple[plain.Floats, float]]:
        rows, labels = (part.numpy() for part in one)
        return measure(lambda: plain.subcluster_centres(rows, labels, K, starts), CPU)

    centres = [learn(one, STARTS) for one in (visible, infrared)]
    few = [learn(one, 1) for one in (visible, infrared)]
    cost = measure(lambda: plain.matching_cost(*(found.result[0] for found in centres)), CPU)
    for name, found in (("visible", centres[0]), ("infrared", centres[1])):
        table.row(f"scikit-learn K-means a cluster, {STARTS} starts, {name}", found)
    table.row("looped distances", cost)
    loops = together(*centres, cost, result=None)
    table.row("loops together", loops)
    table.row("ours together: K-means, cost, match", ours, loops)
    single = together(*few, cost, result=None)
    table.row("loops together with one start, not ten", single)
    table.row("ours together, ten starts, against that", ours, single)
    wanted = sum(one.result[1] for one in centres)
    reached = sum(inertia(o, c.cpu()) for o, c in zip((visible, infrared), ours.result[:2]))
    table.remark(
        f"Inertia: ours {reached:.4f}, scikit-learn with {STARTS} starts {wanted:.4f} "
        f"({reached / wanted - 1:+.3%}), with one {sum(f.result[1] for f in few):.4f}."
    )


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--clusters", type=int, default=395)
    flags.add_argument("--rows", type=int, nargs=2, default=[22_120, 11_850])
    flags.add_argument("--width", type=int, default=2048)
    given = flags.parse_args()
    if given.quick:
        given.clusters, given.rows = 30, [1_680, 900]
    for device in devices(given.device):
        table = Table("matching", device)
        compare(table, given.clusters, tuple(given.rows), given.width)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
