"""Fixtures that several test files share."""

import gc
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from vireid.synthetic import render_dataset


@pytest.fixture(scope="session", autouse=True)
def _few_threads():
    """Two runs must agree to the bit, so nothing may depend on how many cores are free."""
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(autouse=True)
def _seeded():
    """Every test draws the same numbers, whichever ran before it."""
    torch.manual_seed(0)


@pytest.fixture
def threads():
    """Sets torch's number of threads until the test is over."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory) -> Path:
    """A rendered set of 6 + 6 people in the HITSZ-VCM layout, in a folder with an awkward name."""
    root = tmp_path_factory.mktemp("data") / "größe one"
    render_dataset(root, preset="tiny", seed=0, workers=1, progress=False)
    return root


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


@pytest.fixture
def killed_workers():
    """A worker is killed in this test, and what that leaves half open is nobody's fault.

    Torch tells of it by an exception out of a signal, which breaks into whatever runs: at times
    into the opening of a connection or of a file, which Python then finds unclosed.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        yield
        gc.collect()  # here, not in the next test
