"""``vireid compare``: says where two runs part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Options):
    """Which two runs to compare."""

    runs: list[Path] = option("two run folders")
    tolerance: float = option("relative difference of numbers that still counts as none", 0.0)


def run_compare(config: CompareSettings) -> int:
    """Prints where the runs part."""
    from ..reporting.compare import compare_runs
    from ..reporting.run_record import read_run

    if len(config.runs) != 2:
        raise UserError(
            f"compare takes two run folders, got {len(config.runs)}: vireid compare RUN_A RUN_B"
        )
    try:
        first, second = (read_run(run) for run in config.runs)
        print(compare_runs(first, second, config.tolerance).text())
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    return 0
