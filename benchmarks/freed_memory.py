"""Training steps on the CPU that keep the memory of the last step, beside glibc as it comes."""

from __future__ import annotations

import multiprocessing
from functools import partial

import torch
from vireid.engine.freed_memory import keep_freed_memory

from .measure import Measured, in_turns, measure
from .subsampling import training_passes
from .table import Table, parser

CPU = torch.device("cpu")
FORMS = {"glibc as it comes": False, "freed memory kept": True}
STEPS = 20  # a measurement begins with all free memory given back, which counts for the first only


def steps(backbone: str, size: tuple[int, int, int], kept: bool) -> Measured[None]:
    """Time of some steps; in a process of its own, since the C library keeps what it is told.

    Args:
        backbone: of M3-ReID.
        size: clips of two frames, height, width.
        kept: whether freed memory stays.
    """
    if kept and not keep_freed_memory():
        raise RuntimeError("glibc without limits from the environment is needed for this")
    run = training_passes(backbone, size, STEPS)
    run()
    return measure(run, CPU)


def compare(table: Table, backbone: str, size: tuple[int, int, int], rounds: int) -> None:
    """Both forms in turns, a process each time."""
    batch, height, width = size
    table.section(f"{STEPS} steps: {backbone}, {batch} clips x 2 x {height} x {width}")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = in_turns(
            {
                form: partial(pool.apply, steps, (backbone, size, kept))
                for form, kept in FORMS.items()
            },
            rounds,
        )
    table.row("glibc as it comes", found["glibc as it comes"])
    table.row("freed memory kept", found["freed memory kept"], found["glibc as it comes"])


def main() -> None:
    """Runs the benchmark."""
    flags = parser(__doc__)
    flags.add_argument("--backbone", default="thin-16")
    given = flags.parse_args()
    table = Table("freed_memory", CPU)
    size, rounds = ((8, 32, 16), 1) if given.quick else ((64, 96, 48), 5)
    compare(table, given.backbone, size, rounds)
    if given.write:
        table.write(given.note)


if __name__ == "__main__":
    main()
