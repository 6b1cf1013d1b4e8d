"""A step finds the memory of the last one again."""

import os
import platform
import subprocess
import sys

import pytest
from vireid.engine.freed_memory import OWN_SETTINGS, keep_freed_memory

# The first step of a process makes and frees three maps of 24 MiB. As it comes, glibc takes these
# first blocks from the system and gives them back at once. What it does with later ones depends on
# what lies above them, and page faults are not counted everywhere, so the test rests on neither:
# glibc's own account of what it holds, in its heaps and in blocks beside them.
FIRST_STEP = """
import ctypes
import torch
from vireid.engine.runtime import Runtime

class Account(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_int) for name in names.split()]

account = ctypes.CDLL(None).mallinfo
account.restype = Account

def held():
    now = account()
    return now.arena + now.hblkhd

def step():
    maps = [torch.full((6 << 20,), 1.0) for _ in range(3)]

{runtime}
before = held()
step()
print(held() - before)
"""


def kept_by_a_step(runtime: str) -> int:
    """Bytes that a process of its own still holds after its first step, beyond those before it."""
    environment = {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_STEP.format(runtime=runtime)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_a_run_on_the_cpu_keeps_the_memory_of_a_step():
    three_maps = 3 * 24 * 2**20
    assert kept_by_a_step("Runtime(device='cpu')") > 0.9 * three_maps
    assert kept_by_a_step("") < 0.1 * three_maps


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_limits_of_the_environment_stand(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert not keep_freed_memory()


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
