"""``vireid report``: writes one or several runs as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import as_user_error
from ..options import Options, option


@dataclass(frozen=True, kw_only=True)
class ReportSettings(Options):
    """Which runs to report."""

    runs: list[Path] = option("run folders, one or several for one page")
    output: Path | None = option(
        "HTML file; unset: report.html in the run folder, comparison.html in the first of several",
        None,
    )


def run_report(config: ReportSettings) -> int:
    """Writes the page and prints where it is."""
    from ..reporting import write_report

    with as_user_error(FileNotFoundError):
        print(write_report(config.runs, config.output))
    return 0
