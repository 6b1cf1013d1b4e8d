"""What people look at: a page about runs, the mean over runs, where two runs part."""

from .average import average_runs
from .compare import compare_runs
from .page import write_report
from .run_record import RunRecord, read_run

__all__ = ["RunRecord", "average_runs", "compare_runs", "read_run", "write_report"]
