"""Neighbours, Jaccard distance and DBSCAN: time, memory, ratio to a plain dense version, growth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor
from vireid.clustering.dbscan import dbscan
from vireid.clustering.jaccard import jaccard_of_neighbours
from vireid.clustering.neighbours import nearest_neighbours

from . import plain
from .measure import Measured, measure, together
from .people import people
from .table import Table, devices, duration, parser

K1, K2, EPS, MIN_SAMPLES = 30, 6, 0.6, 4
REPEAT = 3
BARE_BLOCK = 2048
Lists = tuple[Tensor, Tensor]


def graph_and_labels(features: Tensor, lists: Lists) -> tuple[int, np.ndarray]:
    """What follows the search: stored entries and labels."""
    graph = jaccard_of_neighbours(features, *lists, K1, K2)
    return graph.nnz, dbscan(graph, EPS, MIN_SAMPLES)


def bare_matmul(features: Tensor) -> Tensor:
    """The shortest search that torch can say, in blocks."""
    blocks = range(0, len(features), BARE_BLOCK)
    return torch.cat([(features[a : a + BARE_BLOCK] @ features.T).topk(K1).indices for a in blocks])


def bare_faiss(features: Tensor) -> np.ndarray:
    """The shortest search that FAISS can say."""
    import faiss

    index = faiss.IndexFlatIP(features.shape[1])
    index.add(features.numpy())
    return index.search(features.numpy(), K1)[1]


def compare(table: Table, count: int, width: int) -> None:
    """Everything at a size that the dense version can do."""
    device = table.device
    features = people(count, width)[0].to(device)
    table.section(f"{count:,} x {width}: search, then Jaccard distance and DBSCAN")
    matmul = measure(lambda: bare_matmul(features), device)
    rivals: list[Measured[object]] = [matmul]
    table.row("bare matmul + top-k", matmul)
    if device.type == "cpu":
        rivals.append(measure(lambda: bare_faiss(features), device))
        table.row("bare FAISS flat search", rivals[1])
    search = measure(lambda: nearest_neighbours(features, K1), device)
    table.row("our search, against the faster of these", search, min(rivals, key=_seconds))
    ours = measure(lambda: graph_and_labels(features, search.result), device, repeat=REPEAT)
    rows, ranks = features.cpu().numpy(), search.result[1].cpu().numpy()
    distance = measure(lambda: plain.jaccard(rows, ranks, K2), torch.device("cpu"))
    labels = measure(lambda: plain.dbscan(distance.result, EPS, MIN_SAMPLES), torch.device("cpu"))
    total = together(distance, labels, result=labels.result)
    table.row("plain dense Jaccard (CPU)", distance)
    table.row("scikit-learn's DBSCAN on it", labels)
    table.row("both together", total)
    table.row("ours after the search", ours, total)
    agreement = adjusted_rand_score(ours.result[1], total.result)
    table.remark(f"Agreement of both clusterings (ARI): {agreement:.6f}.")


def alone(table: Table, sizes: list[int], width: int) -> None:
    """Ours alone, and how it grows."""
    table.section(f"{width}-d, growing")
    runs = [(count, *_alone(table, count, width)) for count in sizes]
    for (small, fast, few), (large, slow, many) in itertools.pairwise(runs):
        power = math.log(slow / fast) / math.log(large / small)
        # Where the features grow denser with N, the graph itself grows faster than N.
        share = math.log(slow / fast) / math.log(many / few)
        table.remark(
            f"From {small:,} to {large:,}: {duration(fast)} to {duration(slow)}, as N^{power:.2f}, "
            f"and as (stored entries)^{share:.2f}."
        )


def _alone(table: Table, count: int, width: int) -> tuple[float, int]:
    features, identity, _ = people(count, width)
    features = features.to(table.device)
    search = measure(lambda: nearest_neighbours(features, K1), table.device)
    table.row(f"{count:,}: search", search)
    ours = measure(lambda: graph_and_labels(features, search.result), table.device, repeat=REPEAT)
    stored, labels = ours.result
    table.row(
        f"{count:,}: Jaccard + DBSCAN ({stored / count:.0f} entries a row, "
        f"{labels.max() + 1:,} clusters of {len(identity.unique()):,} people, "
        f"{(labels < 0).mean():.0%} noise, "
        f"ARI {adjusted_rand_score(identity.numpy(), labels):.2f})",
        ours,
    )
    return ours.seconds, stored


def _seconds(found: Measured[object]) -> float:
    return found.seconds


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--dense", type=int, default=10_000, help="rows beside the dense version")
    flags.add_argument(
        "--wide", type=int, nargs="*", default=[10_000, 34_167, 100_000], help="rows of 2048"
    )
    flags.add_argument(
        "--narrow", type=int, nargs="*", default=[10_000, 34_167, 100_000], help="rows of 256"
    )
    given = flags.parse_args()
    if given.quick:
        given.dense, given.wide, given.narrow = 1_500, [], [2_000, 8_000]
    for device in devices(given.device):
        small = people(400, 32)[0].to(device)  # compiles
        graph_and_labels(small, nearest_neighbours(small, K1))
        table = Table("clustering", device)
        compare(table, given.dense, 2048)
        for width, sizes in ((2048, given.wide), (256, given.narrow)):
            if sizes:
                alone(table, sizes, width)
        if given.write:
            table.write(given.note)


if __name__ == "__main__":
    main()
