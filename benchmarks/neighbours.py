"""Exact nearest neighbours against FAISS's flat search: time, ratio, and whether they agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from vireid.clustering.neighbours import nearest_neighbours

from .measure import Measured, measure
from .people import people
from .table import Table, duration, parser

Result = TypeVar("Result")
K = 30
WIDTH = 2048


def flat_search(rows: np.ndarray, asked: int) -> np.ndarray:
    """Neighbours of the first ``asked`` rows among all rows."""
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index.search(rows[:asked], K)[1]


def compare(table: Table, count: int, asked: int, repeat: int) -> tuple[float, str]:
    """Both searches in turn, their shortest times; ours in CPU time, and how far they agree."""
    device = torch.device("cpu")
    features = people(count, WIDTH)[0]
    asked = min(asked, count)
    plain, ours = [], []
    for _ in range(repeat):
        plain.append(measure(lambda: flat_search(features.numpy(), asked), device))
        ours.append(measure(lambda: nearest_neighbours(features, K), device))
    rival, search = shortest(plain, count / asked), shortest(ours, 1)
    share = "" if asked == count else f" ({asked:,} rows asked for, time scaled to all)"
    table.row(f"{count:,}: bare FAISS flat search{share}", rival)
    table.row(f"{count:,}: our search", search, rival)
    found = np.sort(search.result[1][:asked].numpy(), axis=1)
    equal = (found == np.sort(rival.result, axis=1)).all(1)
    return search.cpu_seconds, f"{count:,}: {equal.sum():,} of {asked:,} rows"


def shortest(runs: Sequence[Measured[Result]], factor: float) -> Measured[Result]:
    """The least of several runs, times scaled."""
    memory = [run.mebibytes for run in runs if run.mebibytes is not None]
    return Measured(
        min(run.seconds for run in runs) * factor,
        min(run.cpu_seconds for run in runs) * factor,
        max(memory, default=None),
        runs[-1].result,
    )


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument(
        "--rows", type=int, nargs="+", default=[10_000, 22_258, 34_167, 100_000], help="rows"
    )
    flags.add_argument("--asked", type=int, default=5_000, help="rows that FAISS searches for")
    flags.add_argument("--repeat", type=int, default=3, help="both searches in turn, so often")
    given = flags.parse_args()
    if given.device == "cuda":
        raise SystemExit("--device cuda: this benchmark compares searches on the CPU")
    if given.quick:
        given.rows, given.repeat = [2_000, 4_000], 1
    nearest_neighbours(people(400, WIDTH)[0], K)  # compiles
    table = Table("neighbours", torch.device("cpu"))
    table.section(f"{K} nearest of N x {WIDTH}")
    runs = [compare(table, count, given.asked, given.repeat) for count in given.rows]
    took, agreements = zip(*runs, strict=True)
    table.remark("Rows with the same neighbours as FAISS: " + "; ".join(agreements) + ".")
    for (few, fast), (many, slow) in itertools.pairwise(zip(given.rows, took, strict=True)):
        power = math.log(slow / fast) / math.log(many / few)
        table.remark(
            f"From {few:,} to {many:,}: {duration(fast)} to {duration(slow)} of CPU time, "
            f"as N^{power:.2f}."
        )
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
