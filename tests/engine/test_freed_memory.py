"""A step finds the memory of the last one again."""

import os
import platform
import subprocess
import sys

import pytest
from vireid.engine.freed_memory import OWN_SETTINGS, keep_freed_memory

# 20 rounds of three maps of 24 MiB, as a step makes and frees them: with pages of 4 KiB, 368,640
# faults where all are given back, with pages of 2 MiB 720.
STEPS = """
import resource
import torch
from vireid.engine.runtime import Runtime
{runtime}
def step():
    maps = [torch.full((6 << 20,), 1.0) for _ in range(3)]
for _ in range(20):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(runtime: str) -> int:
    """Page faults of 20 steps in a process of their own."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", STEPS.format(runtime=runtime)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_run_on_the_cpu_asks_the_system_for_memory_once():
    assert faults("Runtime(device='cpu')") < 200
    assert faults("") > 500


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_limits_of_the_environment_stand(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
