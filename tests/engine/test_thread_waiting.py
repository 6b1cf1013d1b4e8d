"""Threads that wait for each other leave the cores to others."""

import os
import subprocess
import sys

import pytest
from vireid.engine.thread_waiting import OWN_SETTINGS, ROUNDS, wait_briefly

# What GNU's OpenMP says of itself when it is loaded, with torch.
SHOWN = f"GOMP_SPINCOUNT = '{ROUNDS}'"


def said(*command: str) -> str:
    """What a Python process and its libraries complain."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    environment["OMP_DISPLAY_ENV"] = "VERBOSE"
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=True
    )
    return done.stderr


def test_a_command_says_it_before_torch_is_loaded():
    plain = said("-c", "import torch")
    if "GOMP_SPINCOUNT" not in plain:
        pytest.skip("another OpenMP")
    assert SHOWN not in plain
    assert SHOWN in said("-m", "vireid", "doctor")


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_settings_of_the_environment_stand(monkeypatch, name):
    for each in OWN_SETTINGS:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "7")
    wait_briefly()
    assert [os.environ.get(each) for each in OWN_SETTINGS].count(None) == 1
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    monkeypatch.setenv("GOMP_SPINCOUNT", "")  # has it removed at the end
    monkeypatch.delenv("GOMP_SPINCOUNT")
    wait_briefly()
    assert os.environ["GOMP_SPINCOUNT"] == str(ROUNDS)
