"""An index of many synthetic tracklets: adding, searching, killing, forgetting; time and memory."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from vireid.datasets.track import Modality
from vireid.retrieval.conditions import Filter, key_condition
from vireid.retrieval.forgetting import finish, forget
from vireid.retrieval.index_folder import IndexFacts, IndexFolder, locked, open_index, write_facts
from vireid.retrieval.vector_index import keep_fast

from .measure import Measured, measure
from .table import Table, duration, parser

CPU = torch.device("cpu")
PART = 10_000
SIGHTINGS = 20  # tracklets of a person, in turn visible and infrared
MODALITY, SIGHTING = 0.45, 0.66  # how far they move a person's vector, as a share of its length
TOP = 10
DRAWN = (
    "Vectors are drawn like features of people. A person is a normal vector whose k-th direction "
    f"has the variance 1/k; each modality adds such a vector, scaled by {MODALITY}, and each of "
    f"{SIGHTINGS} sightings one scaled by {SIGHTING}; the sum gets length 1. Inner products of a "
    "person are then 0.73 within a modality and 0.60 across, those of strangers 0 with a standard "
    "deviation of 0.17. Features of the synthetic set, from a network that `vireid mmm` trained "
    "without labels, have 0.72, 0.60 and 0.19."
)


def part_of(number: int, dim: int, picture: int) -> tuple[list[dict], np.ndarray, list[bytes]]:
    """A part of the synthetic tracklets, the same each time: people seen again and again.

    Vectors are drawn like features of people, whose variance a few directions hold. Among random
    directions, all alike, no row lies near another, and no vector index can help.
    """
    rng = np.random.default_rng(number)
    people, spread = PART // SIGHTINGS, np.arange(1, dim + 1, dtype=np.float32) ** -0.5

    def drawn(*shape: int) -> np.ndarray:
        return spread * rng.standard_normal((*shape, dim), np.float32)

    rows = drawn(people, 1, 1) + MODALITY * drawn(people, 1, 2)
    rows = (rows + SIGHTING * drawn(people, SIGHTINGS // 2, 2)).reshape(PART, dim)
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    first = number * PART
    facts = [
        {
            "key": f"p{n:08d}",
            "content": f"{n:032x}",
            "camera": f"camera {n % 16}",
            "modality": ("visible", "infrared")[n % 2],
            "start_time": 1.8e9 + n,
            "end_time": 1.8e9 + n + 10,
            "frames": 30,
            "added": 0.0,
        }
        for n in range(first, first + PART)
    ]
    data = rng.bytes(PART * picture)
    pictures = [data[n * picture : (n + 1) * picture] for n in range(PART)]
    return facts, vectors, pictures


def make(folder: Path, dim: int, exact_below: int) -> IndexFolder:
    """An empty index."""
    folder.mkdir(parents=True)
    facts = IndexFacts(
        run="none",
        fingerprint="none",
        projection="none",
        width=dim,
        dim=dim,
        blurred=False,
        exact_below=exact_below,
    )
    write_facts(folder, facts)
    return open_index(folder)


def fill(folder: Path, parts: int, picture: int) -> None:
    """Adds what is not there yet, part by part, as `vireid index` does."""
    with locked(folder, str(folder)):
        index = open_index(folder)
        if index.interrupted:
            finish(index)
        for number in range(parts):
            if not index.store.contents([f"p{number * PART:08d}"]):
                index.store.add(*part_of(number, index.facts.dim, picture))
        index.store.clean_up()


def whole_parts(index: IndexFolder) -> int:
    """How many parts are there; no part may be there in part."""
    count = index.store.count()
    if count % PART:
        raise SystemExit(f"{count:,} rows: a part was added in part")
    return count // PART


def kill_campaign(folder: Path, parts: int, picture: int, kills: int) -> str:
    """Adds in processes that are killed at random moments, and opens what each leaves."""
    draw, before, killed = random.Random(0), 0, 0
    line = [sys.executable, "-m", "benchmarks.index_store", "--fill", str(folder)]
    line += ["--rows", str(parts * PART), "--picture", str(picture)]
    for _ in range(kills):
        child = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(draw.uniform(0.0, 2.0))
        child.kill()
        killed += child.wait() < 0
        now = whole_parts(open_index(folder))
        if now < before:
            raise SystemExit(f"{before - now} parts were lost by a kill")
        before = now
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    index = open_index(folder)
    for number in draw.sample(range(parts), min(parts, 5)):
        facts, vectors, _ = part_of(number, index.facts.dim, picture)
        for place in draw.sample(range(PART), 4):
            found = index.store.vectors(key_condition(facts[place]["key"]), 1)[1]
            if not np.array_equal(found[0], vectors[place]):
                raise SystemExit(f"{facts[place]['key']} has another vector than was added")
    return (
        f"{killed} of {kills} processes were killed while they added; each time the index opened, "
        f"with whole parts and none lost; at the end {index.store.count():,} of {parts * PART:,} "
        "rows were there, with the vectors that were added."
    )


def searches(index: IndexFolder, queries: np.ndarray, condition: str) -> Measured[list[float]]:
    """Seconds of each search."""

    def run() -> list[float]:
        seconds = []
        for vector in queries:
            start = time.perf_counter()
            index.store.nearest(vector, condition, TOP, probes=index.facts.probes)
            seconds.append(time.perf_counter() - start)
        return seconds

    return measure(run, CPU)


def plain_searches(vectors: np.ndarray, queries: np.ndarray) -> Measured[object]:
    """One product with all vectors in memory, in float32, for each query."""
    wide = vectors.astype(np.float32)

    def run() -> None:
        for vector in queries:
            scores = wide @ vector.astype(np.float32)
            np.argpartition(-scores, TOP)[:TOP]

    return measure(run, CPU)


def per_query(found: Measured[list[float]] | Measured[object], count: int) -> Measured[object]:
    """The same by query."""
    return replace(
        found,
        seconds=found.seconds / count,
        cpu_seconds=found.cpu_seconds / count,
    )


def benchmark(folder: Path, rows: int, given: argparse.Namespace, table: Table) -> None:
    """All measurements of one size."""
    dim, picture, parts = given.dim, given.picture, rows // PART
    fast = rows in given.ivf
    index = make(folder, dim, rows if fast else rows + 1)
    made = [part_of(number, dim, picture) for number in range(min(parts, 4))]
    table.section(f"{rows:,} tracklets, {dim} half-precision numbers, pictures of {picture:,} B")
    remarks = []

    def add() -> None:
        for number in range(parts):
            part = made[number] if number < len(made) else part_of(number, dim, picture)
            index.store.add(*part)

    table.row("add all, drawing them included", measure(add, CPU))
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    remarks.append(f"{size / 2**20:,.0f} MiB on disk, {size / rows:,.0f} B a tracklet")
    queries = np.concatenate([part[1][::SIGHTINGS] for part in made])[: given.queries]
    infrared = Filter(modality=Modality.INFRARED).condition()
    plain = per_query(plain_searches(made[0][1][1::2], queries), len(queries))
    plain = replace(plain, seconds=plain.seconds * parts, cpu_seconds=plain.cpu_seconds * parts)
    table.row("a query, numpy, float32 in memory (time of a part, scaled)", plain)
    narrow = Filter(("camera 3",), Modality.INFRARED, 1.8e9, 1.8e9 + rows / 10).condition()
    wanted = {"other modality": infrared, "a camera, a tenth of time": narrow}
    exact: dict[str, Measured[object]] = {}
    for name, condition in wanted.items():
        found = searches(index, queries, condition)
        exact[name] = per_query(found, len(queries))
        table.row(f"a query, exact, {name}", exact[name])
        remarks.append(f"exact, {name}: {spread(found)}")
    if fast:
        built = measure(lambda: keep_fast(index), CPU)
        table.row("IVF: build, and measure its recall", built)
        remarks.append(f"{built.result}")
        for name, condition in wanted.items():
            found = searches(index, queries, condition)
            row = per_query(found, len(queries))
            table.row(f"a query, IVF, {name}; against exact", row, exact[name])
            remarks.append(f"IVF, {name}: {spread(found)}")
    one = measure(lambda: forget(index, key_condition(made[0][0][7]["key"])), CPU)
    table.row("forget one tracklet: the others are written anew", one)
    remarks.append(f"{index.store.count():,} left; no file holds the one that went")
    table.remark(". ".join(remarks) + ".")


def spread(found: Measured[list[float]]) -> str:
    """Median and slowest hundredth of searches."""
    p50, p99 = np.percentile(found.result, [50, 99])
    return f"p50 {duration(p50)}, p99 {duration(p99)} of {len(found.result)} queries"


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument(
        "--rows", type=int, nargs="+", default=[200_000, 1_000_000], help=f"in parts of {PART:,}"
    )
    flags.add_argument("--dim", type=int, default=512, help="numbers of a vector")
    flags.add_argument("--picture", type=int, default=2_000, help="bytes of a thumbnail")
    flags.add_argument("--queries", type=int, default=100, help="searches that are timed")
    flags.add_argument("--kills", type=int, default=10, help="processes that are killed")
    flags.add_argument("--kill-rows", type=int, default=100_000, help="rows that they add")
    flags.add_argument(
        "--ivf", type=int, nargs="*", default=[1_000_000], help="of --rows, with a vector index"
    )
    flags.add_argument("--folder", type=Path, help="where the index lies; unset: a temporary one")
    flags.add_argument("--fill", type=Path, help="only add to this index, for the kill campaign")
    given = flags.parse_args()
    if given.fill:
        print("started", flush=True)
        fill(given.fill, given.rows[0] // PART, given.picture)
        return
    if given.device == "cuda":
        raise SystemExit("--device cuda: an index is searched on the CPU")
    if given.quick:
        given.rows, given.queries, given.kills, given.kill_rows = [20_000], 20, 2, 20_000
        given.ivf = given.rows
    table = Table("index_store", CPU)
    table.remark(DRAWN)
    work = Path(tempfile.mkdtemp(prefix="vireid-index-", dir=given.folder))
    try:
        for rows in given.rows:
            benchmark(work / f"{rows}", rows, given, table)
            shutil.rmtree(work / f"{rows}")
        if given.kills:
            make(work / "killed", given.dim, 10**9)
            parts = given.kill_rows // PART
            table.remark(kill_campaign(work / "killed", parts, given.picture, given.kills))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
