"""Training steps on the CPU whose threads wait briefly, beside OpenMP as it comes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from vireid.engine.thread_waiting import OWN_SETTINGS, ROUNDS

from .measure import Measured, measure, middle
from .subsampling import training_passes
from .table import Table, parser

CPU = torch.device("cpu")
FORMS = {"OpenMP as it comes": None, "threads wait briefly": str(ROUNDS)}
STEPS = 5
SPAWN = multiprocessing.get_context("spawn")


def steps(size: tuple[int, int, int]) -> Measured[None]:
    """Time of some steps, in a process whose OpenMP has read the environment.

    Args:
        size: clips of two frames, height, width.
    """
    run = training_passes("thin-16", size, STEPS)
    run()
    return measure(run, CPU)


def compute_for_ever() -> None:
    """What else the cores have to do, on one thread."""
    torch.set_num_threads(1)
    matrix = torch.rand(512, 512)
    while True:
        matrix @ matrix


@contextmanager
def others(count: int) -> Iterator[None]:
    """So many busy processes, until the block ends."""
    busy = [SPAWN.Process(target=compute_for_ever, daemon=True) for _ in range(count)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.join()


def in_process(rounds: str | None, size: tuple[int, int, int]) -> Measured[None]:
    """:func:`steps` in a new process, since the library reads the environment once."""
    if rounds is not None:
        os.environ["GOMP_SPINCOUNT"] = rounds
    try:
        with SPAWN.Pool(1) as pool:
            return pool.apply(steps, (size,))
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)


def compare(table: Table, size: tuple[int, int, int], turns: int, busy: int) -> None:
    """Both forms in turns, beside so many busy processes."""
    batch, height, width = size
    threads = torch.get_num_threads()
    beside = f"beside {busy} busy processes" if busy else "alone"
    clips = f"{batch} clips x 2 x {height} x {width}"
    table.section(f"{STEPS} steps on {threads} threads {beside}: thin-16, {clips}")
    found: dict[str, list[Measured[None]]] = {form: [] for form in FORMS}
    with others(busy):
        for _ in range(turns):
            for form, rounds in FORMS.items():
                found[form].append(in_process(rounds, size))
    plain, ours = (middle(found[form]) for form in FORMS)
    table.row("OpenMP as it comes", plain)
    table.row("threads wait briefly", ours, plain)


def main() -> None:
    """Runs the benchmark."""
    given = parser(__doc__).parse_args()
    for name in OWN_SETTINGS:
        os.environ.pop(name, None)
    table = Table("thread_waiting", CPU)
    size, turns = ((8, 32, 16), 1) if given.quick else ((64, 96, 48), 5)
    for busy in (0, torch.get_num_threads()):
        compare(table, size, turns, busy)
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
