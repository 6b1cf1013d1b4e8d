"""kill -9 at some step, then --resume: weights and scores of an uninterrupted run."""

import json
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from tiny_runs import BASELINE, flags
from vireid.cli import main

STEPS = 2 + 2 * 3 + 6


def measured(run):
    timing = {"seconds", "clips_per_second", "peak_memory_mib"}
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        {name: value for name, value in record.items() if name not in timing}
        for record in map(json.loads, lines)
        if record["kind"] in ("evaluation", "pseudo_labels", "train")
    ]


# What carries something from one epoch to the next.
REMEDIES = (
    *("--eps-gap", "0.05", "--label-propagation", "0.6", "--ema-decay", "0.8"),
    *("--camera-neighbours", "--modality-neighbours"),
)


@pytest.mark.parametrize("more", [(), REMEDIES], ids=["plain", "remedies"])
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(more, tiny_set, tmp_path, one_thread):
    settings = {**BASELINE, "log_interval": 1}
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    step = random.randint(1, STEPS - 1)
    command = [sys.executable, "-m", "vireid", *flags("baseline", tiny_set, killed, settings)]
    command += more
    with subprocess.Popen(command, env=one_thread, stdout=subprocess.DEVNULL) as process:
        log = killed / "log.txt"
        end = time.monotonic() + 200
        while time.monotonic() < end and process.poll() is None:
            if log.exists() and log.read_text(encoding="utf-8").count(" batch ") >= step:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, f"the run ended before step {step}"
    assert not (killed / "tracks.csv").exists(), f"killed after the run, not at step {step}"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert main([*flags("baseline", tiny_set, killed, settings), *more, "--resume"]) == 0
        assert main([*flags("baseline", tiny_set, whole, settings), *more]) == 0
    finally:
        torch.set_num_threads(threads)
    first, second = (load_file(run / "encoder.safetensors") for run in (killed, whole))
    assert first.keys() == second.keys()
    # The average is what was saved; the network of the last step lies beside it.
    assert (whole / "last_step.safetensors").exists() == bool(more)
    if more:
        trained = load_file(whole / "last_step.safetensors")
        assert any(not torch.equal(trained[name], second[name]) for name in second)
    assert all(torch.equal(first[name], second[name]) for name in first), f"step {step}"
    assert measured(killed) == measured(whole), f"step {step}"
