"""Runs commands in processes of their own."""

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="session")
def one_thread():
    """Environment in which a process computes as one thread does."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@pytest.fixture(scope="session")
def torchrun(one_thread):
    """Runs a command line under torchrun with two gloo processes."""

    def launch(*arguments):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        return subprocess.run(
            [sys.executable, *launcher, *arguments],
            env=one_thread,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return launch
