"""`vireid ablate` from start to table."""

from __future__ import annotations

import json
import time
from typing import Any

from ..engine.stop_signals import StopSignals
from ..errors import UserError
from ..files import write_whole
from ..folder_lock import FolderLock
from .execute import execute
from .settings import AblateSettings
from .table import markdown, summarise
from .variants import Job, plan


def run_ablation(config: AblateSettings) -> list[dict[str, Any]]:
    """Trains every row on every seed and writes ``ablation.md`` and ``ablation.json``.

    What is finished in ``config.output`` is not trained again, what was interrupted goes on. Both
    files are written anew after each run, so they can be read while others go on.

    Args:
        config: settings.

    Returns:
        One entry for each row; see ``summarise``.

    Raises:
        UserError: the settings do not fit, or no run succeeded.
    """
    cells = plan(config)
    output = config.output
    if output.exists() and not output.is_dir():
        raise UserError(f"--output {output} is a file; wanted is a folder, new or of an ablation")
    output.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(output, f"--output {output}")
    failed: dict[Job, str] = {}
    over = config.over_values[0]
    started = time.perf_counter()

    def write() -> list[dict[str, Any]]:
        entries = summarise(cells, failed)
        content = {"dataset": config.dataset, "seeds": config.seed_list, "rows": entries}
        write_whole(output / "ablation.json", json.dumps(content, indent=2) + "\n")
        write_whole(output / "ablation.md", markdown(entries, over))
        return entries

    def progress(job: Job, problem: str | None, done: int, count: int) -> None:
        if problem is not None:
            failed[job] = problem
        minutes = (time.perf_counter() - started) / 60
        end = "done" if problem is None else "failed: " + " ".join(problem.split())
        print(f"[{done}/{count}, {minutes:.1f} min] {job.label}: {end}", flush=True)
        write()

    threads = config.threads or (1 if config.processes > 1 else None)
    try:
        with StopSignals():  # the runs get the signal passed on, and keep where they are
            execute([cell.job for cell in cells], config.processes, threads, progress)
        entries = write()
    finally:
        lock.release()
    print(f"\n{markdown(entries, over)}\n{output / 'ablation.md'}")
    if not any(cell.job.finished for cell in cells):
        raise UserError(f"no run of {output} succeeded; the reasons stand above")
    return entries
