"""``vireid compare``: says where two runs part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError, as_user_error
from ..options import Options, option
from ..reading import visible

if TYPE_CHECKING:
    from ..reporting.compare import Comparison, Difference

SHOWN = 20  # differences of a kind


@dataclass(frozen=True, kw_only=True)
class CompareSettings(Options):
    """Which two runs to compare."""

    runs: list[Path] = option("two run folders")
    tolerance: float = option("relative difference of numbers that still counts as none", 0.0)


def run_compare(config: CompareSettings) -> int:
    """Prints where the runs part."""
    from ..reporting import compare_runs, read_run

    if len(config.runs) != 2:
        raise UserError(
            f"compare takes two run folders, got {len(config.runs)}: vireid compare RUN_A RUN_B"
        )
    with as_user_error(FileNotFoundError):
        first, second = (read_run(run) for run in config.runs)
        print(comparison_text(compare_runs(first, second, config.tolerance)))
    return 0


def comparison_text(found: Comparison) -> str:
    """All of it for the terminal, the first difference first."""
    if found.same:
        return f"the runs are the same: settings, data, and all {found.same_records} records"
    first = next(itertools.chain(found.setup, found.settings, found.parting))
    lines = [f"the runs part at {_line(first)}"]
    for head, part in (
        ("data, versions and device", found.setup),
        ("settings", found.settings),
        (f"records (the first {found.same_records} are the same)", found.parting),
        ("last evaluation", found.result),
    ):
        if part:
            lines += ["", head, *(f"  {_line(one)}" for one in part[:SHOWN])]
            if len(part) > SHOWN:
                lines.append(f"  and {len(part) - SHOWN} more")
        elif head == "settings":
            lines += ["", "settings: the same"]
    return "\n".join(lines)


def _line(one: Difference) -> str:
    return f"{one.what}: {_shown(one.first)} | {_shown(one.second)}"


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, float):
        return f"{value:.6g}"
    return visible(" ".join(str(value).split()))
