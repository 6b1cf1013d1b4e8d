"""Figures of a card, taken here on the CPU at tiny sizes: every line of them runs."""

import pytest
import torch

from benchmarks import gpu_figures, train_step
from benchmarks.gpu_figures import FIGURES, take
from benchmarks.gpu_sizes import SMALL
from benchmarks.table import Table, devices

CPU = torch.device("cpu")
WANTED = {
    "step": ["plain, float32, clips ready", "ours, float32", "times the plain step with its clips"],
    "extraction": ["plain, float32", "ours, fp32", "ours, bf16", "Least cosine"],
    "clustering": ["| search |", "| Jaccard distance |", "| DBSCAN |", "clusters): yes"],
    "ranking": ["the matrix product alone", "plain: ", "same products: yes"],
    "busy": ["from a warm cache", "clips/s without the profiler", "is busy"],
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_taken(name, capsys):
    assert take(Table("gpu_figures", CPU), SMALL, [name]) == []
    out = capsys.readouterr().out
    for text in WANTED[name]:
        assert text in out, out


def test_all_forms_may_look_for_the_fastest_kernels(monkeypatch):
    # Else a figure would depend on whether a run before it had asked for that.
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    devices("cpu")
    assert torch.backends.cudnn.benchmark


def test_other_labels_than_the_cpus_are_a_failure_and_the_rest_goes_on(monkeypatch, capsys):
    calls = []

    def wrong(*given):
        calls.append(given)
        return real(*given) + (len(calls) > 1)

    real = gpu_figures.dbscan
    monkeypatch.setattr(gpu_figures, "dbscan", wrong)
    table = Table("gpu_figures", CPU)
    assert take(table, SMALL, ["clustering", "ranking"]) == ["clustering"]
    out = capsys.readouterr().out
    assert "NO." in out and "the matrix product alone" in out


def test_the_ratio_of_a_step_is_against_clips_that_are_ready(capsys):
    table = Table("train_step", CPU)
    train_step.compare(table, "thin-8", (4, 2, 32, 16), 1, compiled=False)
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if "clips/s" in line]
    seconds = {row[0].strip("| ").split(":")[0]: row[1].split(" (")[0] for row in rows}
    ratios = {row[0].strip("| ").split(":")[0]: row[4] for row in rows}
    assert list(ratios.values())[:2] == ["-", "-"]
    number = {"ms": 1e-3, "s": 1.0}
    took = {
        name: float(text.split()[0]) * number[text.split()[1]] for name, text in seconds.items()
    }
    wanted = took["plain, float32, clips ready"] / took["ours, float32"]
    assert float(ratios["ours, float32"].split()[0]) == pytest.approx(wanted, abs=0.1)
