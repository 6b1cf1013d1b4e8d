"""The benchmark of freed memory runs both forms, each in a process of its own."""

import platform

import pytest
import torch
from vireid.engine.freed_memory import OWN_SETTINGS

from benchmarks import freed_memory
from benchmarks.table import Table


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_both_forms_are_tabulated(capsys, monkeypatch):
    for name in OWN_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    freed_memory.compare(Table("freed_memory", torch.device("cpu")), "thin-8", (4, 32, 16), 1)
    said = capsys.readouterr().out
    assert all(said.count(form) == 1 for form in freed_memory.FORMS)
    assert said.count("times as fast") == 1
