"""The benchmark of waiting threads runs both forms, each in a process of its own."""

import multiprocessing
import os

import pytest
import torch
from vireid.engine.thread_waiting import OWN_SETTINGS

from benchmarks import thread_waiting
from benchmarks.table import Table


@pytest.fixture(autouse=True)
def _as_openmp_comes(monkeypatch):
    for name in OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)


def test_both_forms_are_tabulated_beside_others(capsys, monkeypatch):
    monkeypatch.setitem(thread_waiting.WORK, "nobody's", ((4, 32, 16), 1))
    table = Table("thread_waiting", torch.device("cpu"))
    thread_waiting.compare(table, "nobody's", turns=1, busy=1)
    said = capsys.readouterr().out
    assert "1 steps like nobody's" in said
    assert "beside 1 busy processes" in said
    assert all(said.count(form) == 1 for form in thread_waiting.FORMS)
    assert said.count("times as fast") == 1
    assert multiprocessing.active_children() == []


def test_a_process_starts_with_the_rounds_of_its_form(monkeypatch):
    monkeypatch.setattr(thread_waiting, "steps", os.getenv)  # what a new process finds
    assert thread_waiting.in_process("7", "GOMP_SPINCOUNT", "as it comes") == "7"
    assert "GOMP_SPINCOUNT" not in os.environ
