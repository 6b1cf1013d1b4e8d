"""The checks of a card, run here on the CPU at tiny sizes, and what becomes of one that fails."""

import os
import time

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu_check import apart, write
from benchmarks.gpu_checks import CHECKS
from benchmarks.gpu_place import Place, near, need

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place("cpu", True, tmp_path_factory.mktemp("checks"))


ALONE = [name for name in CHECKS if name != "compile" and "AGW" not in name and "MMM" not in name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_a_check_passes(name, place, monkeypatch):
    root = os.pathsep.join([str(gpu_check.ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", root)
    assert CHECKS[name](place)


@pytest.mark.slow
def test_both_stages_of_images_pass(place):
    for name in CHECKS:
        if "AGW" in name or "MMM" in name:
            assert "loss" in CHECKS[name](place)


@pytest.mark.slow
def test_compiling_passes(place, monkeypatch):
    # The backend that only traces: what is traced and when, without minutes of a C++ compiler.
    monkeypatch.setattr("vireid.engine.compiling.fault", lambda device: None)
    original = torch.nn.Module.compile
    compiled = []

    def traced(part):
        compiled.append(part)
        return original(part, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    assert "apart" in CHECKS["compile"](place)
    assert compiled


def fails():
    need(False, "something | differs")


FATES = {
    "fails": (fails, "AssertionError: something | differs"),
    "ends": (lambda: os._exit(3), "the process ended by itself, exit code 3"),
    "hangs": (lambda: time.sleep(60), "not done after 2 s"),
}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("fate", FATES)
def test_a_check_that_goes_wrong_is_a_line(fate):
    call, text = FATES[fate]
    found = apart(fate, call, limit=2)
    assert not found.passed and text in found.text
    assert found.line().startswith(f"FAIL  {fate}, ")


def test_a_check_that_goes_well_says_what_it_saw():
    found = apart("fine", lambda: "losses 0.1%\n apart", limit=60)
    assert found.passed and found.text == "losses 0.1% apart"


def test_the_rest_goes_on_and_the_table_tells(place, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(gpu_check, "RESULTS", tmp_path)
    monkeypatch.setattr(gpu_check, "CHECKS", {"bad": lambda place: fails(), "good": lambda p: "ok"})
    outcomes = gpu_check.checks("cpu", True, place.folder, ["bad", "good"])
    assert [one.passed for one in outcomes] == [False, True]
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "1 of 2 checks FAILED: bad"
    assert told[-3].startswith("FAIL  bad") and told[-2].startswith("pass  good")
    gpu_check.checks("cpu", True, place.folder, ["good"])
    assert capsys.readouterr().out.splitlines()[-1] == "all 1 checks passed"
    text = write("cpu", True, outcomes).read_text(encoding="utf-8")
    assert "1 of 2 passed" in text and "| bad | **FAIL** |" in text and "| good | pass |" in text
    assert "tiny sizes" in text and torch.__version__ in text


def test_losses_that_differ_are_found(tmp_path):
    for name, loss in (("one", 1.0), ("same", 1.01), ("other", 1.2), ("broken", float("nan"))):
        (tmp_path / name).mkdir()
        line = f'{{"kind": "train", "loss": {loss}}}\n'.replace("nan", "NaN")
        (tmp_path / name / "metrics.jsonl").write_text(line, encoding="utf-8")
    assert "apart" in near(tmp_path / "one", tmp_path / "same")
    for name in ("other", "broken"):
        with pytest.raises(AssertionError):
            near(tmp_path / name, tmp_path / "one")
