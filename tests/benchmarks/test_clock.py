"""What times a device: the CPU for real, CUDA with a stand-in for its events and allocator."""

import time

import pytest
import torch

from benchmarks import clock
from benchmarks.clock import driver_version, software
from benchmarks.gpu_busy import busy_share, covered
from benchmarks.measure import Measured, measure, middle, series
from benchmarks.table import Table

CPU = torch.device("cpu")


def test_a_call_on_the_cpu_takes_at_least_as_long_as_it_sleeps():
    found = measure(lambda: time.sleep(0.05) or 7, CPU)
    assert found.seconds >= 0.05 and found.result == 7
    assert found.cpu_seconds < found.seconds


@pytest.mark.skipif(not clock.STATUS.exists(), reason="no /proc: the system tells no peak")
def test_the_peak_on_the_cpu_holds_what_was_there_for_a_moment():
    def call():
        torch.ones(32 * 2**20 // 4).sum()

    assert 31 <= measure(call, CPU).mebibytes < 96


def test_a_series_is_the_median_of_what_counts(monkeypatch):
    calls = []
    found = series(lambda: calls.append(None), CPU, rounds=4)
    assert len(calls) == 5
    assert found.span[0] <= found.seconds <= found.span[1]
    turns = [Measured(float(s), float(s), None if s == 3 else 10.0 * s, s) for s in (5, 3, 4)]
    one = middle(turns)
    assert (one.seconds, one.span, one.mebibytes, one.result) == (4.0, (3.0, 5.0), 50.0, 4)


class Events:
    """CUDA's events and allocator, without CUDA."""

    def __init__(self, monkeypatch):
        self.said, self.now = [], 0.0
        outer = self

        class Event:
            def __init__(self, enable_timing):
                assert enable_timing

            def record(self):
                self.at = outer.now
                outer.said.append("record")

            def synchronize(self):
                outer.said.append("wait")

            def elapsed_time(self, later):
                return 1000 * (later.at - self.at)

        monkeypatch.setattr(torch.cuda, "Event", Event)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: self.said.append("wait"))
        monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 3 * 2**20)
        monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 10 * 2**20)
        monkeypatch.setattr(
            torch.cuda, "reset_peak_memory_stats", lambda: self.said.append("reset")
        )


def test_on_cuda_events_and_the_allocator_tell(monkeypatch):
    events = Events(monkeypatch)

    def call():
        events.said.append("call")
        events.now += 0.25

    found = measure(call, torch.device("cuda"))
    assert (found.seconds, found.mebibytes) == (0.25, 7.0)
    assert events.said == ["wait", "reset", "record", "call", "record", "wait"]


def test_driver_and_versions_are_named(monkeypatch, tmp_path):
    assert torch.__version__ in software(CPU)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 580.159.04\n")
    tool.chmod(0o755)
    monkeypatch.setattr(clock.shutil, "which", lambda name: str(tool))
    assert driver_version() == "580.159.04"
    assert "driver 580.159.04" in software(torch.device("cuda"))
    monkeypatch.setattr(clock.shutil, "which", lambda name: None)
    assert "unknown" in driver_version()


def test_time_that_overlaps_counts_once():
    assert covered([]) == 0
    assert covered([(4, 6), (0, 2), (1, 3), (1, 2)]) == 5


def test_a_device_that_waits_is_not_busy():
    def works():
        torch.randn(400, 400) @ torch.randn(400, 400)

    def waits():
        works()
        time.sleep(0.5)

    works()
    seconds, share = busy_share(waits, CPU)
    assert seconds >= 0.5 and 0 < share < 0.5


def test_a_median_stands_with_its_span(capsys):
    table = Table("clock", CPU)
    table.row("a", Measured(2.0, 1.0, None, None, (1.0, 3.0)), Measured(4.0, 4.0, None, None))
    assert "2 s (1 s to 3 s)" in capsys.readouterr().out
