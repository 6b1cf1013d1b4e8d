"""``vireid average``: mean and spread over finished runs, such as RegDB's trials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..files import write_whole
from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class AverageSettings(Options):
    """Which runs to average."""

    runs: list[Path] = option("run folders, for instance one for each trial of RegDB")
    output: Path | None = option("JSON file to write; without it, print only", None)


def run_average(config: AverageSettings) -> int:
    """Prints the table of means."""
    from ..reporting.average import average_runs, average_table

    try:
        averages = average_runs(config.runs)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(str(error)) from error
    print(average_table(averages))
    if config.output is not None:
        write_whole(config.output, json.dumps(averages, indent=1) + "\n")
    return 0
