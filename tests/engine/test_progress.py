"""Progress of an epoch: a bar on a terminal only, and the same facts in the log and the record."""

from __future__ import annotations

import io
import json
import re
import sys
import time

import pytest
import torch
from vireid.engine.peak_memory import memory_text, peak_memory_mib
from vireid.engine.progress import EpochProgress, RunClock
from vireid.engine.run_folder import RunFolder
from vireid.engine.runtime import Runtime
from vireid.engine.schedule import LearningRate
from vireid.engine.training import Position, train_epoch

CPU = torch.device("cpu")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def train(folder, *, log_interval):
    run = RunFolder(folder, "{}\n", resume=False)
    weight = torch.nn.Parameter(torch.ones(1))
    batch = (torch.zeros(2, 1, 3, 4, 4, dtype=torch.uint8), torch.tensor([5, 6]))
    try:
        totals = train_epoch(
            Runtime("cpu", "fp32"),
            run,
            Position("intra_modality", 1, 3, 4),
            torch.optim.SGD([weight], lr=0.1),
            LearningRate("step", 0.1, 3),
            [batch] * 4,
            4,
            lambda clips, index, step: {"term": weight.sum() * 0 + 2.5},
            log_interval=log_interval,
            clock=RunClock(12, 4),
        )
    finally:
        run.close()
    assert totals.taken == 4
    (record,) = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return record, (folder / "log.txt").read_text(encoding="utf-8")


def test_no_bar_where_there_is_no_terminal(tmp_path, capsys):
    record, log = train(tmp_path / "run", log_interval=2)
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = [line for line in log.splitlines() if " batch " in line]
    assert len(lines) == 2
    pattern = (
        r"intra_modality 2/3 batch 2/4 loss 2\.5000 lr 1\.00e-01, epoch \d\d:\d\d left, "
        r"\d+ clips/s, run \d\d:\d\d left, peak [\d.]+ [MG]iB$"
    )
    assert re.search(pattern, lines[0])
    assert lines[1].split("intra_modality")[1] in shown.out
    assert (record["kind"], record["epoch"], record["step"]) == ("train", 2, 8)
    assert record["peak_memory_mib"] == pytest.approx(peak_memory_mib(CPU), rel=0.5)
    assert record["clips_per_second"] * record["seconds"] == pytest.approx(8, rel=0.5)


def test_a_terminal_gets_one_line_that_is_written_over(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = EpochProgress([(None, None)] * 3, 3, "intra_modality 1/2", 0, CPU, RunClock(6))
    for _ in progress:
        progress.count(2, 1.25)
        progress._bar.refresh()
    shown = terminal.getvalue()
    assert "intra_modality 1/2  " in shown
    assert "/3 [" in shown
    assert re.search(r"loss 1\.250, \d+ clips/s, run \d\d:\d\d left, peak", shown)
    assert "\n" not in shown


def test_the_time_left_follows_the_steps():
    clock = RunClock(100, 20, started=time.perf_counter() - 50)
    assert clock.left(20) is None
    assert clock.left(30) == pytest.approx(50 / 10 * 70, rel=0.05)
    assert clock.left(100) == 0
    assert clock.left(120) == 0


def test_memory_is_read_as_people_read_it():
    assert memory_text(None) == "unknown"
    assert memory_text(1000.4) == "1000 MiB"
    assert memory_text(1536) == "1.5 GiB"


def test_peak_memory_is_the_high_water_mark():
    if peak_memory_mib(CPU) is None:
        pytest.skip("this system does not tell")
    held = torch.ones(64 * 2**18)  # 64 MiB
    during = peak_memory_mib(CPU)
    del held
    # The kernel counts pages in batches for each thread, so a per cent is open.
    assert peak_memory_mib(CPU) >= 0.99 * during
    resource = pytest.importorskip("resource")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 64 < during <= 1.01 * most


def test_a_system_that_does_not_tell(monkeypatch, tmp_path):
    monkeypatch.setattr("vireid.engine.peak_memory.STATUS", tmp_path / "none")
    assert peak_memory_mib(CPU) is None
