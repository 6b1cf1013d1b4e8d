"""Runs the runs of an ablation, each in a process of its own, several at a time."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from ..engine.program import command_line
from ..files import write_whole
from .variants import Job

THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MESSAGE = "vireid: "


def execute(
    jobs: Sequence[Job],
    processes: int,
    threads: int | None,
    progress: Callable[[Job, str | None, int, int], None],
) -> dict[Job, str]:
    """Trains what is not trained yet; what a kill left unfinished goes on.

    A job is an ordinary command, `vireid baseline` or `vireid mmm`, whose output goes to a text
    file beside its run folder. A job that fails ends neither the others nor this function, but
    those that need it fail with it.

    Args:
        jobs: runs, each with its predecessor; may name one twice.
        processes: how many at a time.
        threads: of each process; None leaves it to torch.
        progress: called after each job with it, its failure or None, jobs done and jobs in all.

    Returns:
        What went wrong: job to message.
    """
    every = list(dict.fromkeys(one for job in jobs for one in (job.before, job) if one))
    failed: dict[Job, str] = {}
    done: set[Job] = set()
    stop = threading.Event()
    running: dict[Future[str | None], Job] = {}

    def close(job: Job, problem: str | None) -> None:
        done.add(job)
        if problem is not None:
            failed[job] = problem
        progress(job, problem, len(done), len(every))

    with ThreadPoolExecutor(processes) as pool:
        try:
            waiting = list(every)
            while waiting or running:
                for job in list(waiting):
                    if job.before is not None and job.before not in done:
                        continue
                    problem = job.problem
                    if job.before in failed and not job.finished:
                        problem = "stage one failed"
                    if problem is not None or job.finished:
                        waiting.remove(job)
                        close(job, problem)
                    elif len(running) < processes:
                        waiting.remove(job)
                        running[pool.submit(_train, job, threads, stop)] = job
                if running:
                    ended, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in ended:
                        close(running.pop(future), future.result())
        finally:
            stop.set()  # after Ctrl-C; nothing runs any more otherwise
    return failed


def _train(job: Job, threads: int | None, stop: threading.Event) -> str | None:
    """Runs the command of ``job``; its last words, if it fails."""
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    # The names of rows have dots, so nothing is replaced but only added.
    settings = job.folder.with_name(job.folder.name + ".settings.yaml")
    write_whole(settings, job.settings)
    console = job.folder.with_name(job.folder.name + ".console.txt")
    words, added = command_line(job.command)
    command = [*words, "--config", str(settings)]
    if job.started:
        command.append("--resume")
    environment = {**os.environ, **added}
    if threads is not None:
        environment.update(dict.fromkeys(THREAD_SETTINGS, str(threads)))
    with console.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            while (code := _poll(process)) is None:
                if stop.is_set():
                    return "stopped"
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code == 0 and job.finished:
        return None
    return _last_words(console, code)


def _poll(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return None


def _last_words(console: Path, code: int) -> str:
    """The message with which a command failed, or where to look for it."""
    lines = console.read_text(encoding="utf-8", errors="replace").splitlines()
    marks = [number for number, line in enumerate(lines) if line.startswith(MESSAGE)]
    if marks:
        return "\n".join(lines[marks[-1] :]).removeprefix(MESSAGE)
    last = next((line for line in reversed(lines) if line.strip()), "no word")
    return f"exit code {code}: {last} (all of it in {console})"
