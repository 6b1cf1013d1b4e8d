"""Training steps on the CPU whose threads wait briefly, beside OpenMP as it comes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from vireid.engine.thread_waiting import OWN_SETTINGS, ROUNDS

from .measure import Measured, in_turns, measure
from .subsampling import training_passes
from .table import Table, parser

CPU = torch.device("cpu")
FORMS = {"OpenMP as it comes": None, "threads wait briefly": str(ROUNDS)}
# Clips of two frames, height, width; steps that are timed. The second is the size of a test.
WORK = {"the demo's": ((64, 96, 48), 3), "the tests'": ((8, 32, 16), 10)}
TURNS = 3
SPAWN = multiprocessing.get_context("spawn")


def steps(size: tuple[int, int, int], count: int) -> Measured[None]:
    """Time of some steps, in a process whose OpenMP has read the environment.

    Args:
        size: clips of two frames, height, width.
        count: how many.
    """
    run = training_passes("thin-16", size, count)
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


def in_process(rounds: str | None, size: tuple[int, int, int], count: int) -> Measured[None]:
    """:func:`steps` in a new process, since the library reads the environment once."""
    if rounds is not None:
        os.environ["GOMP_SPINCOUNT"] = rounds
    try:
        with SPAWN.Pool(1) as pool:
            return pool.apply(steps, (size, count))
    finally:
        os.environ.pop("GOMP_SPINCOUNT", None)


def compare(table: Table, steps_of: str, turns: int, busy: int) -> None:
    """Both forms in turns, beside so many busy processes."""
    size, count = WORK[steps_of]
    batch, height, width = size
    beside = f"beside {busy} busy processes" if busy else "alone"
    clips = f"thin-16, {batch} clips x 2 x {height} x {width}"
    threads = torch.get_num_threads()
    table.section(f"{count} steps like {steps_of} on {threads} threads {beside}: {clips}")
    forms = {form: partial(in_process, rounds, size, count) for form, rounds in FORMS.items()}
    with others(busy):
        found = in_turns(forms, turns)
    table.row("OpenMP as it comes", found["OpenMP as it comes"])
    table.row("threads wait briefly", found["threads wait briefly"], found["OpenMP as it comes"])


def main() -> None:
    """Runs the benchmark."""
    given = parser(__doc__).parse_args()
    for name in OWN_SETTINGS:
        os.environ.pop(name, None)
    table = Table("thread_waiting", CPU)
    work, turns = (("the tests'",), 1) if given.quick else (tuple(WORK), TURNS)
    for steps_of in work:
        for busy in (0, torch.get_num_threads()):
            compare(table, steps_of, turns, busy)
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
