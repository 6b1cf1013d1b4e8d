"""``--print-schedule``: what a training would do by epoch, without data or a network."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..distributed import processes
from ..reporting.schedule_table import schedule_text
from .schedule import StageSchedule


def print_schedule(schedules: Sequence[StageSchedule], form: str) -> None:
    """Prints the schedules of a training.

    Args:
        schedules: of its stages, in order.
        form: ``table``, or ``json``: a line for each stage, see ``StageSchedule.record``.
    """
    records = [schedule.record() for schedule in schedules]
    if processes.is_main():
        table = form == "table"
        print(schedule_text(records) if table else "\n".join(map(json.dumps, records)))
